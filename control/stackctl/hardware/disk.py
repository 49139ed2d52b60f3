"""The disk under a folder, as the kernel counts its work."""

from __future__ import annotations

import os
from pathlib import Path

_SYS = Path("/sys/dev/block")


def whole_disk(folder: Path, sys: Path = _SYS) -> Path | None:
    """The device whose operations can be limited: the whole disk, also where `folder` is on a partition of it.

    None where the files are on no disk of this machine, such as memory or another machine.
    """
    number = folder.stat().st_dev
    entry = sys / f"{os.major(number)}:{os.minor(number)}"
    if not entry.exists():
        return None
    found = entry.resolve()
    return Path("/dev") / (found.parent if (found / "partition").exists() else found).name
