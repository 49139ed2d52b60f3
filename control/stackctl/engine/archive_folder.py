"""The folders that WAL is archived to and received into: there before who writes to them starts, and its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from stackctl.engine.runner import SystemUser
from stackctl.errors import unwritable

WAL = "wal"
TAIL = "tail"
BACKUPS = "backups"


def make_root(repository: Path, user: SystemUser | None) -> None:
    """Make the repository itself, which the group of `user` may pass through. Raises as `make_archive`."""
    try:
        if not repository.is_dir():
            repository.mkdir(parents=True)
            repository.chmod(0o750)
            os.chown(repository, -1, -1 if user is None else user.gid)
    except OSError as error:
        raise unwritable(repository, error) from error


def make_archive(repository: Path, user: SystemUser | None, *, shared: bool = False, name: str = WAL) -> None:
    """Make the folder `name` in the repository for `user`, whom root gives it to.

    None is ourselves: with `shared` our group may write there too, and owns what is written. Raises ProfileError where
    the folder cannot be made, EngineFailed where the disk is full.
    """
    try:
        make_root(repository, user)
        folder = repository / name
        folder.mkdir(exist_ok=True)
        # A disk that broke may be read-only; what is there can still be used, or left.
        there = folder.stat()
        if user is not None and (there.st_uid, there.st_gid) != (user.uid, user.gid):
            os.chown(folder, user.uid, user.gid)
        mode = 0o2770 if shared and user is None else 0o750
        if stat.S_IMODE(folder.stat().st_mode) != mode:
            folder.chmod(mode)
    except OSError as error:
        raise unwritable(repository, error) from error
