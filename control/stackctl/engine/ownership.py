"""Whose files are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from stackctl.engine.runner import SystemUser

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def give(path: Path, user: SystemUser | None) -> None:
    """Give `path`, with all below it, to `user`; links themselves, never what they lead to. None changes nothing."""
    if user is not None:
        _give(str(path), None, user)


def _give(name: str, folder: int | None, user: SystemUser) -> None:
    """Folders after what is in them, each name in its open folder.

    In a tree that is the user's already, a folder may become a link at any time.
    """
    try:
        here = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
    else:
        try:
            with os.scandir(here) as found:
                names = [each.name for each in found]
            for below in names:
                _give(below, here, user)
        finally:
            os.close(here)
    os.chown(name, user.uid, user.gid, dir_fd=folder, follow_symlinks=False)
