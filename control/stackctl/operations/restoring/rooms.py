"""Where a restore needs room on the disks, and what is free there."""

from __future__ import annotations

from pathlib import Path

from stackctl.backup.estimate import Room
from stackctl.hardware.detect import free_disk, on_one_device


def rooms(build: Path, data: Path, size: int, *, copies: bool) -> list[Room]:
    """`size` in bytes is built in `build`; where the engine copies, it is in `data` too for a while.

    A folder that cannot be looked at, as of an engine elsewhere, is left out.
    """
    if not copies:
        places = [(build, size)]
    elif on_one_device(build, data):
        places = [(build, 2 * size)]
    else:
        places = [(build, size), (data, size)]
    return [room for path, needed in places if (room := _room(path, needed))]


def _room(path: Path, needed: int) -> Room | None:
    try:
        return Room(str(path), needed, free_disk(path))
    except OSError:
        return None
