"""Lists of SHA-256 checksums, in the form that `sha256sum --check` reads, and what is wrong with a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackctl.backup.plain_file import opened

LIST = "checksums.txt"
# A server does not start without some folders that are empty, and a list of checksums has files only.
FOLDERS = "folders.txt"
_LENGTH = 64
_THREADS = 4

Told = Callable[[int], None]
Failed = Callable[[str, OSError], None]


class DamagedList(Exception):
    """A list of checksums that is not as it was written."""


def digests(
    folder: Path, leave_out: frozenset[str], told: Told = lambda _bytes: None, failed: Failed | None = None
) -> dict[str, str]:
    """SHA-256 of every file below `folder` by its path there, but for those in `leave_out`.

    `told` hears the size of each piece that was read, `failed` of each file that cannot be; without it the error is
    raised. So is a symbolic link: what it leads to is not in the folder.
    """

    def digest(path: str) -> tuple[str, str]:
        try:
            return path, _digest(folder / path, told)
        except OSError as error:
            if failed is None:
                raise
            failed(path, error)
            return path, ""

    paths = [path for path in files_below(folder) if path not in leave_out]
    # Hashing leaves the interpreter's lock alone.
    with ThreadPoolExecutor(_THREADS) as threads:
        return dict(threads.map(digest, paths))


def _digest(path: Path, told: Told) -> str:
    with opened(path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        told(file.tell())
    return found


def files_below(folder: Path) -> Iterator[str]:
    """Paths of all that is no directory below `folder`, links included, in order."""
    found = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [os.path.relpath(Path(parent) / name, folder) for name in (*names, *links)]
    yield from sorted(found)


def folders_below(folder: Path) -> list[str]:
    """Paths of all folders below `folder`, in order."""
    walked = os.walk(folder, onerror=_raise)
    return sorted(os.path.relpath(parent, folder) for parent, _, _ in walked if parent != str(folder))


def digest_of(content: bytes) -> str:
    """SHA-256 of some bytes, as hex digits."""
    return hashlib.sha256(content).hexdigest()


def size_below(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum((folder / path).lstat().st_size for path in files_below(folder))


def written(found: Mapping[str, str]) -> bytes:
    """The list as a file."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(found.items())).encode()


def read(content: bytes) -> dict[str, str]:
    """The checksums of a list by path. Raises DamagedList."""
    found = {}
    try:
        for line in content.decode().splitlines():
            digest, path = line[:_LENGTH], line[_LENGTH + 2 :]
            found[path] = digest
    except UnicodeDecodeError as error:
        raise DamagedList(str(error)) from error
    if written(found) != content:
        raise DamagedList("not in the form in which it was written")
    return found


def differences(listed: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What is wrong with a folder, one sentence for each file."""
    wrong = [f"{path}: is missing" for path in listed if path not in there]
    wrong += [
        f"{path}: its bytes are not those of the backup"
        for path in listed
        if there.get(path) not in (None, listed[path])
    ]
    return sorted(wrong + [f"{path}: does not belong to the backup" for path in there if path not in listed])


def folder_differences(listed: bytes, there: Iterable[str]) -> list[str]:
    """What is wrong with the folders of a backup, one sentence for each."""
    wanted, found = set(listed.decode(errors="surrogateescape").splitlines()), set(there)
    wrong = [f"{path}: this folder is missing" for path in wanted - found]
    return sorted(wrong + [f"{path}: this folder does not belong to the backup" for path in found - wanted])


def _raise(error: OSError) -> None:
    raise error
