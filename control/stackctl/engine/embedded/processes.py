"""Memory of a process and its children, from /proc."""

from __future__ import annotations

from pathlib import Path

from stackctl.units import Bytes


def family_memory(pid: int) -> Bytes | None:
    """Proportional set size in bytes of `pid` and all below it: shared pages count once. None where it is gone."""
    sizes = [size for member in _family(pid) if (size := _proportional(member)) is not None]
    return Bytes(sum(sizes)) if sizes else None


def _family(pid: int) -> list[int]:
    members = [pid]
    for member in members:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            members += [int(child) for child in task.read_text().split()]
    return members


def _proportional(pid: int) -> int | None:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
