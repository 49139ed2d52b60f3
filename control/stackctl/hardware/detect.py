"""What this machine has: memory and CPUs as cgroups allow them, disk size and kind."""

from __future__ import annotations

import os
import re
from pathlib import Path

from stackctl.hardware import cgroup
from stackctl.hardware.cgroup_tree import read
from stackctl.hardware.model import Host, Storage
from stackctl.units import GIB, MIB, Bytes, floor_to, human

ROOT = Path("/")


def detect(place: Path, root: Path = ROOT) -> Host:
    """Measure the machine; `place` is a path on the disk that will hold the data. `root` is / except in tests.

    RAM is rounded down to MiB and the disk to GiB, as a person would write them.
    """
    disk = total_disk(place)
    return Host(
        ram=floor_to(memory(root), MIB),
        cpus=cpus(root),
        disk=floor_to(disk, GIB if disk >= GIB else MIB),
        storage=storage(nearest(place), root),
        ram_source=ram_source(root),
        cpus_source=cpus_source(root),
    )


def nearest(place: Path) -> Path:
    """`place`, or its nearest parent that exists."""
    place = place.absolute()
    return next(path for path in (place, *place.parents) if path.exists())


def on_one_device(one: Path, other: Path) -> bool | None:
    """Whether both are or will be on one file system, and are lost with it; None where that cannot be asked."""
    try:
        return nearest(one).stat().st_dev == nearest(other).stat().st_dev
    except OSError:
        return None


def memory(root: Path = ROOT) -> Bytes:
    """RAM in bytes, or the limit of this process's cgroups where that is lower."""
    limit = cgroup.memory_limit(root)
    return min(total_memory(root), limit.size) if limit else total_memory(root)


def total_memory(root: Path = ROOT) -> Bytes:
    """RAM of the machine in bytes, whatever a cgroup leaves of it."""
    return Bytes(_meminfo(root).get("MemTotal") or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def ram_source(root: Path = ROOT) -> str:
    """Which cgroup limit makes the RAM less than the machine's, as a phrase; empty where none does."""
    limit, total = cgroup.memory_limit(root), total_memory(root)
    if limit is None or limit.size >= total:
        return ""
    return f"limit in {limit.file}; the machine has {human(total)}"


def available_memory(root: Path = ROOT) -> Bytes:
    """Memory in bytes that could be had now without swapping, within the cgroups' limits."""
    there = Bytes(_meminfo(root).get("MemAvailable", total_memory(root)))
    left = cgroup.available_memory(root)
    return there if left is None else min(there, left)


def total_disk(place: Path) -> Bytes:
    """Size in bytes of the file system where `place` is or will be."""
    usage = os.statvfs(nearest(place))
    return Bytes(usage.f_frsize * usage.f_blocks)


def free_disk(place: Path) -> Bytes:
    """Bytes that an ordinary user may still write where `place` is or will be."""
    usage = os.statvfs(nearest(place))
    return Bytes(usage.f_frsize * usage.f_bavail)


def cpus(root: Path = ROOT) -> int:
    """CPUs this process may use: its affinity, or the cgroups' quota rounded down (at least 1) where that is less."""
    # The kernel keeps the affinity within the cpuset, so that needs no look of its own.
    allowed = len(os.sched_getaffinity(0))
    return min(allowed, cgroup.whole_cpus(root) or allowed)


def cpus_source(root: Path = ROOT) -> str:
    """What makes the CPUs fewer than the machine's, as a phrase; empty where nothing does."""
    machine, allowed, quota = os.cpu_count() or 1, len(os.sched_getaffinity(0)), cgroup.whole_cpus(root)
    if min(allowed, quota or allowed) >= machine:
        return ""
    return f"{'cgroup quota' if quota and quota < allowed else 'affinity or cpuset'}; the machine has {machine}"


def storage(place: Path, root: Path = ROOT) -> Storage:
    """Kind of the disk under `place`, by the kernel's word for its block device; ssd where it cannot tell."""
    device = place.stat().st_dev
    block = root / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    if not block.exists():
        return Storage.SSD
    block = block.resolve()
    disk = block if (block / "queue").is_dir() else block.parent
    if disk.name.startswith("nvme"):
        return Storage.NVME
    return Storage.HDD if read(disk / "queue/rotational") == "1" and not _virtual(disk) else Storage.SSD


def _virtual(disk: Path) -> bool:
    # virtio reports "rotational" for every disk, whatever lies under it
    return disk.name.startswith("vd")


def _meminfo(root: Path) -> dict[str, int]:
    pairs = re.findall(r"(?m)^(\w+): +([0-9]{1,18}) kB$", read(root / "proc/meminfo"))
    return {name: int(number) * 1024 for name, number in pairs}
