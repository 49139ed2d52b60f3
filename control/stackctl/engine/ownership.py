"""Whose files are."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.engine.runner import SystemUser


def give(path: Path, user: SystemUser | None) -> None:
    """Give `path`, with all below it, to `user`; links themselves, never what they lead to. None changes nothing."""
    if user is None:
        return
    os.chown(path, user.uid, user.gid, follow_symlinks=False)
    if path.is_symlink() or not path.is_dir():
        return
    for folder, folders, names in os.walk(path):
        for name in (*folders, *names):
            os.chown(Path(folder) / name, user.uid, user.gid, follow_symlinks=False)
