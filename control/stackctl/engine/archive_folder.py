"""The folders that WAL is archived to and received into: there before who writes to them starts, and its own."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.engine.runner import SystemUser
from stackctl.errors import unwritable

WAL = "wal"
TAIL = "tail"


def make_archive(repository: Path, user: SystemUser | None, *, shared: bool = False, name: str = WAL) -> None:
    """Make the folder `name` in the repository for `user`, whom root gives it to.

    None is ourselves: with `shared` our group may write there too, and owns what is written. Raises ProfileError where
    the folder cannot be made, EngineFailed where the disk is full.
    """
    try:
        if not repository.is_dir():
            repository.mkdir(parents=True)
            repository.chmod(0o750)
            os.chown(repository, -1, -1 if user is None else user.gid)
        folder = repository / name
        folder.mkdir(exist_ok=True)
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        folder.chmod(0o2770 if shared and user is None else 0o750)
    except OSError as error:
        raise unwritable(repository, error) from error
