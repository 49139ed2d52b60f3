"""What cgroups leave of the machine: memory and CPU time. A file that cannot be read or understood sets no limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackctl.hardware.cgroup_tree import Group, groups
from stackctl.units import Bytes

_QUOTA = re.compile(r"([1-9][0-9]{0,18})\s+([1-9][0-9]{0,18})")
# Above memory.high the kernel slows the processes down until they are below it again: no place to live in.
_MEMORY = {1: ("memory.limit_in_bytes",), 2: ("memory.max", "memory.high")}
_USAGE = {1: "memory.usage_in_bytes", 2: "memory.current"}
# File cache and slabs go when memory is wanted. Shared memory is not among them: nothing can push it out.
_RECLAIMABLE = {
    1: ("total_inactive_file", "total_active_file"),
    2: ("inactive_file", "active_file", "slab_reclaimable"),
}
# A container without its own view sees no parent; version 1 tells the lowest limit above it all the same.
_ABOVE = "hierarchical_memory_limit"


@dataclass(frozen=True)
class MemoryLimit:
    """The most memory that a cgroup's processes may have, and the file that says so."""

    size: Bytes
    file: Path


def memory_limit(root: Path) -> MemoryLimit | None:
    """The lowest memory limit of this process's cgroup and those above it, None where nobody set one."""
    found = [limit for group in groups("memory", root) for limit in _limits(group)]
    return min(found, key=lambda limit: limit.size, default=None)


def _limits(group: Group) -> Iterator[MemoryLimit]:
    for name in _MEMORY[group.version]:
        if size := _number(group.text(name)):
            yield MemoryLimit(Bytes(size), group.folder / name)
    if group.version == 1 and (above := _statistics(group).get(_ABOVE)):
        yield MemoryLimit(Bytes(above), group.folder / "memory.stat")


def available_memory(root: Path) -> Bytes | None:
    """Memory in bytes that the cgroups still give: limit - usage + what can be reclaimed, the least of all of them."""
    found = [left for group in groups("memory", root) if (left := _left(group)) is not None]
    return Bytes(min(found)) if found else None


def _left(group: Group) -> int | None:
    limit = min((limit.size for limit in _limits(group)), default=None)
    usage = _number(group.text(_USAGE[group.version]))
    if limit is None or usage is None:
        return None
    statistics = _statistics(group)
    reclaimable = sum(statistics.get(name, 0) for name in _RECLAIMABLE[group.version])
    return max(0, limit - usage + min(reclaimable, usage))


def whole_cpus(root: Path) -> int | None:
    """The lowest CPU quota as whole CPUs, rounded down and at least 1; None where nobody set one.

    A hundredth is forgiven: 1.9999 is somebody's rounding of 2.
    """
    quotas = [pair for group in groups("cpu", root) if (pair := _quota(group))]
    return min((max(1, (quota * 100 + period) // (period * 100)) for quota, period in quotas), default=None)


def _quota(group: Group) -> tuple[int, int] | None:
    """Microseconds of CPU time in each period of so many microseconds."""
    text = group.text("cpu.max")
    if group.version == 1:
        text = f"{group.text('cpu.cfs_quota_us')} {group.text('cpu.cfs_period_us')}"
    match = _QUOTA.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def _statistics(group: Group) -> dict[str, int]:
    pairs = (line.split() for line in group.text("memory.stat").splitlines())
    numbers = {pair[0]: _number(pair[1]) for pair in pairs if len(pair) == 2}
    return {name: number for name, number in numbers.items() if number is not None}


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None
