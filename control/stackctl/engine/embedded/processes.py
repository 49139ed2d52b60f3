"""Memory of a process and its children."""

from __future__ import annotations

import psutil

from stackctl.units import Bytes


def family_memory(pid: int) -> Bytes | None:
    """Proportional set size in bytes of `pid` and all below it: shared pages count once. None where it is gone."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    sizes = [size for member in family if (size := _proportional(member)) is not None]
    return Bytes(sum(sizes)) if sizes else None


def _proportional(process: psutil.Process) -> int | None:
    # One of them may end at any moment, and a zombie has no memory to read.
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return None
