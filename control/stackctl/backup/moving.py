"""Copy a folder, or move a finished one to its place, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.backup.plain_file import opened
from stackctl.backup.repository import KEPT
from stackctl.durable import sync
from stackctl.errors import EngineFailed, StackError, unwritable

_PIECE = 2**20
# A folder that cannot be removed, and may be filled: a mount point, or one in a folder that is not ours to write to.
_STAYS = (errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS)


def landing(into: Path) -> Path:
    """The folder that is written to so that a copy becomes `into`: the one around it.

    Or itself, where it cannot be replaced as a whole: a mount point, or a folder in one that is not ours to write to.
    """
    replaced = not into.is_dir() or (os.access(into.parent, os.W_OK | os.X_OK) and not into.is_mount())
    return into.parent if replaced else into


def hand_over(data: Path, into: Path) -> None:
    """Move a finished data directory out of its working folder to its place, which is empty or not there.

    Raises EngineFailed where it cannot be put there; then it lies beside that working folder, and the error says where.
    """
    try:
        _put(data, into)
    except (OSError, StackError) as error:
        kept = data.parent.with_name(f"{KEPT}{secrets.token_hex(4)}")
        data.rename(kept)
        said = f"{error}; the finished copy is in {kept}"
        raise EngineFailed(said, hint="mend that, and move it; or start a server on it where it is") from error


def _put(data: Path, into: Path) -> None:
    try:
        into.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in _STAYS:
            raise unwritable(into, error) from error
        _fill(data, into)
        return
    move_whole(data, into)


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
        with _draft(source, target.parent, target) as draft:
            draft.rename(target)
            try:
                sync(target.parent, os.O_NOFOLLOW)
            except BaseException:
                target.rename(draft)
                raise
        shutil.rmtree(source, ignore_errors=True)


def _fill(source: Path, target: Path) -> None:
    """Move what is in `source` into the empty folder `target`, which gets its owner and mode; errors are the same."""
    try:
        # The working folder itself may be in it.
        if any(each not in source.parents for each in target.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
        _alike(source, target)
        target.chmod(stat.S_IMODE(source.stat().st_mode))
        _pour(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise unwritable(target, error) from error
        with _draft(source, target, target) as draft:
            _pour(draft, target)
        shutil.rmtree(source, ignore_errors=True)


def _pour(source: Path, target: Path) -> None:
    """All of it or nothing; the file by which others know a data directory comes last."""
    moved: list[Path] = []
    try:
        for each in sorted(source.iterdir(), key=lambda path: path.name == "PG_VERSION"):
            each.rename(target / each.name)
            moved.append(each)
        sync(target, os.O_NOFOLLOW)
    except BaseException:
        for each in moved:
            (target / each.name).rename(each)
        raise


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


@contextmanager
def _draft(source: Path, folder: Path, target: Path) -> Iterator[Path]:
    """A copy of `source` in `folder`, for `target`: safe on that disk, as the source goes then. Removed at the end."""
    draft: Path | None = None
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=folder))
        copy_tree(source, draft)
        for folder_of, folders, names in os.walk(source):
            there = draft / Path(folder_of).relative_to(source)
            for name in (".", *folders, *names):
                _alike(Path(folder_of) / name, there / name)
        _sync_all(draft)
        yield draft
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)


def _first(error: shutil.Error) -> OSError:
    """The first of its errors, of which it keeps only the words."""
    words = str(error.args[0][0][2])
    match = re.match(r"\[Errno (\d+)\] ([^:]*)", words)
    return OSError(int(match[1]), match[2]) if match else OSError(words)


def _alike(one: Path, other: Path) -> None:
    """Give `other` the owner of `one`."""
    owner, now = one.lstat(), other.lstat()
    if (owner.st_uid, owner.st_gid) != (now.st_uid, now.st_gid):
        os.chown(other, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _sync_all(folder: Path) -> None:
    for inside, _, names in os.walk(folder):
        for path in (Path(inside), *(Path(inside) / name for name in names)):
            if not path.is_symlink():
                sync(path, os.O_NOFOLLOW)
