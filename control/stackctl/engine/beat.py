"""The sign of life of the scheduler: a file that it touches while it works and while it waits."""

from __future__ import annotations

import time
from pathlib import Path

# It is touched each 20 s at least, unless the machine is very busy.
STALE_MINUTES = 3
FOLDER = "scheduler"
BEAT = "beat"


def beats(folder: Path) -> bool:
    """Whether the scheduler that works in `folder` is alive; a time ahead of ours is one of another clock."""
    try:
        age = time.time() - (folder / BEAT).stat().st_mtime
    except OSError:
        return False
    return age < STALE_MINUTES * 60
