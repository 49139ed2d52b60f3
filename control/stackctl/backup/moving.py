"""Copy a folder, or move a finished one to its place, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from stackctl.backup.plain_file import opened
from stackctl.errors import unwritable

_PIECE = 2**20


def move_whole(source: Path, target: Path) -> None:
    """Move `source` to `target`, which is not there; on another disk, it gets its name once it is copied.

    Owners stay, as those of PostgreSQL's files matter. Raises ProfileError where that place cannot be written to,
    EngineFailed where it is full; then nothing is left there.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise unwritable(target, error) from error
        _copy(source, target)
        shutil.rmtree(source)


def copy_tree(source: Path, target: Path) -> None:
    """Copy all files of `source`. Raises ProfileError where `target` cannot be written, EngineFailed where it is full.

    What was copied until then stays.
    """

    def copied(one: str, other: str) -> None:
        try:
            _copy_file(one, other)
        except OSError as error:
            # Any other kind of error would be kept until all the other files were tried.
            raise unwritable(target, error) from error

    try:
        shutil.copytree(source, target, symlinks=True, copy_function=copied, dirs_exist_ok=True)
    except shutil.Error as error:
        # Folders are made without that function.
        raise unwritable(target, _first(error)) from error
    except OSError as error:
        raise unwritable(target, error) from error


def _copy_file(one: str, other: str) -> None:
    """Whoever owns the folder may have put a link in the place of a file that was seen there: it is not followed."""
    with opened(Path(one)) as source, Path(other).open("xb") as target:
        found = os.fstat(source.fileno())
        shutil.copyfileobj(source, target, _PIECE)
        target.flush()
        os.fchmod(target.fileno(), stat.S_IMODE(found.st_mode))
        os.utime(target.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy(source: Path, target: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        copy_tree(source, draft)
        _own_alike(source, draft)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise unwritable(target, error) from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _first(error: shutil.Error) -> OSError:
    """The first of its errors, of which it keeps only the words."""
    words = str(error.args[0][0][2])
    match = re.match(r"\[Errno (\d+)\] ([^:]*)", words)
    return OSError(int(match[1]), match[2]) if match else OSError(words)


def _own_alike(source: Path, copy: Path) -> None:
    for folder, folders, names in os.walk(source):
        there = copy / Path(folder).relative_to(source)
        for name in (".", *folders, *names):
            owner = (Path(folder) / name).lstat()
            os.chown(there / name, owner.st_uid, owner.st_gid, follow_symlinks=False)
