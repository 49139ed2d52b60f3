"""What this machine has: memory and CPUs as cgroups allow them, disk size and kind."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.hardware.model import Host, Storage
from stackctl.units import GIB, MIB, Bytes, floor_to

ROOT = Path("/")


def detect(place: Path, root: Path = ROOT) -> Host:
    """Measure the machine; `place` is a path on the disk that will hold the data. `root` is / except in tests.

    RAM is rounded down to MiB and the disk to GiB, as a person would write them.
    """
    ram, disk = floor_to(memory(root), MIB), total_disk(place)
    return Host(ram, cpus(root), floor_to(disk, GIB if disk >= GIB else MIB), storage(nearest(place), root))


def nearest(place: Path) -> Path:
    """`place`, or its nearest parent that exists."""
    place = place.absolute()
    return next(path for path in (place, *place.parents) if path.exists())


def memory(root: Path = ROOT) -> Bytes:
    """RAM in bytes, or the cgroup's limit (v2, then v1) where that is lower."""
    total = _meminfo(root)["MemTotal"]
    limits = [
        _number(root / "sys/fs/cgroup/memory.max"),
        _number(root / "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    return Bytes(min([total, *(limit for limit in limits if limit is not None)]))


def available_memory(root: Path = ROOT) -> Bytes:
    """Memory in bytes that could be had now without swapping."""
    return Bytes(_meminfo(root)["MemAvailable"])


def total_disk(place: Path) -> Bytes:
    """Size in bytes of the file system where `place` is or will be."""
    usage = os.statvfs(nearest(place))
    return Bytes(usage.f_frsize * usage.f_blocks)


def free_disk(place: Path) -> Bytes:
    """Bytes that an ordinary user may still write where `place` is or will be."""
    usage = os.statvfs(nearest(place))
    return Bytes(usage.f_frsize * usage.f_bavail)


def cpus(root: Path = ROOT) -> int:
    """CPUs this process may use: its affinity, or the cgroup's quota rounded down (at least 1)."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(root)
    return max(1, min(allowed, int(quota))) if quota else allowed


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
    return Storage.HDD if _text(disk / "queue/rotational") == "1" and not _virtual(disk) else Storage.SSD


def _virtual(disk: Path) -> bool:
    # virtio reports "rotational" for every disk, whatever lies under it
    return disk.name.startswith("vd")


def _quota(root: Path) -> float | None:
    v2 = _text(root / "sys/fs/cgroup/cpu.max")
    if v2 and not v2.startswith("max"):
        quota, period = v2.split()
        return int(quota) / int(period)
    quota_v1 = _number(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period_v1 = _number(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    return quota_v1 / period_v1 if quota_v1 and quota_v1 > 0 and period_v1 else None


def _meminfo(root: Path) -> dict[str, int]:
    pairs = (line.split(":") for line in (root / "proc/meminfo").read_text().splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, rest in pairs}


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None
