"""Write rendered files: all of them or none, and never over a hand's edit."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import EditedByHand, ProfileError, unwritable
from stackctl.render.model import File

RECORD = ".rendered.json"
_STAGED = ".staged-"


@dataclass(frozen=True)
class FileChange:
    """What writing would do to one file: `added`, `changed` or `removed`."""

    path: str
    kind: str


def compare(folder: Path, files: Iterable[File]) -> tuple[FileChange, ...]:
    """What writing `files` to `folder` would change. Raises EditedByHand as `write` would."""
    record = _checked_record(folder)
    wanted = {file.path: _digest(file.content) for file in files}
    changes = [FileChange(path, "removed") for path in record if path not in wanted]
    for path, digest in wanted.items():
        present = _on_disk(folder / path)
        if present != digest:
            changes.append(FileChange(path, "added" if present is None else "changed"))
    return tuple(sorted(changes, key=lambda change: change.path))


def write(folder: Path, files: Iterable[File]) -> None:
    """Make `folder` hold exactly `files`, beside what stackctl never wrote there.

    Everything is staged on the same disk first, so that a full disk changes nothing. Raises EditedByHand where a file
    is not as it was written, ProfileError where the folder cannot be written, EngineFailed where the disk is full.
    """
    files = tuple(files)
    record = _checked_record(folder)
    _refuse_strangers(folder, files, record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder, files, record)
    except OSError as error:
        raise unwritable(folder, error) from error


def _checked_record(folder: Path) -> Mapping[str, list[str]]:
    """Digests by path: one, or after an interrupted write the old one beside the new."""
    try:
        record: dict[str, list[str]] = json.loads((folder / RECORD).read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError) as error:
        raise ProfileError(
            f"{folder / RECORD}: cannot be read: {error}", hint="restore it, or move the folder away"
        ) from error
    edited = [path for path, digests in record.items() if _on_disk(folder / path) not in (*digests, None)]
    if edited:
        names = ", ".join(edited[:3]) + (" and more" if len(edited) > 3 else "")
        raise EditedByHand(
            f"edited by hand: {names} in {folder}",
            hint="pin the value in stackctl.yaml, then delete the edited file to have it rendered again",
        )
    return record


def _refuse_strangers(folder: Path, files: tuple[File, ...], record: Mapping[str, list[str]]) -> None:
    strangers = [
        f.path for f in files if f.path not in record and _on_disk(folder / f.path) not in (None, _digest(f.content))
    ]
    if strangers:
        raise EditedByHand(
            f"{folder / strangers[0]} exists and stackctl did not write it",
            hint="move it away, or choose another folder",
        )


def _replace(folder: Path, files: tuple[File, ...], record: Mapping[str, list[str]]) -> None:
    for abandoned in folder.glob(f"{_STAGED}*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    staged = Path(tempfile.mkdtemp(prefix=_STAGED, dir=folder))
    try:
        fresh = [file for file in files if _on_disk(folder / file.path) != _digest(file.content)]
        for file in fresh:
            _put(staged / file.path, file)
        after = {file.path: [_digest(file.content)] for file in files}
        _put_record(staged, folder, {path: after.get(path, []) + record.get(path, []) for path in (*record, *after)})
        for file in fresh:
            _open_folder((folder / file.path).parent, folder)
            (staged / file.path).replace(folder / file.path)
        for path in set(record) - set(after):
            (folder / path).unlink(missing_ok=True)
        _put_record(staged, folder, after)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _put_record(staged: Path, folder: Path, record: Mapping[str, list[str]]) -> None:
    _put(staged / RECORD, File(RECORD, (json.dumps(record, indent=1) + "\n").encode()))
    (staged / RECORD).replace(folder / RECORD)


def _open_folder(path: Path, top: Path) -> None:
    """Make `path` and its parents below `top`, open to the users of containers whatever the umask says."""
    if path == top or path.is_dir():
        return
    _open_folder(path.parent, top)
    path.mkdir()
    path.chmod(0o755)


def _put(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(file.content)
        os.fchmod(stream.fileno(), file.mode)
        stream.flush()
        os.fsync(stream.fileno())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _on_disk(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def snapshot(folder: Path) -> tuple[File, ...]:
    """The files that stackctl wrote to `folder`, as they are now; empty before the first time."""
    return tuple(
        File(path, target.read_bytes(), target.stat().st_mode & 0o777)
        for path in _checked_record(folder)
        if (target := folder / path).is_file()
    )
