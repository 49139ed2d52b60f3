"""What the database's processes use, as the kernel accounts for it: by its container's cgroup, or by its processes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.units import Bytes

_ROOT = "/sys/fs/cgroup"
# A container sees its own cgroup there: by its own namespace in version 2, as mounts of their own in version 1.
_CPU_1, _MEMORY_1 = f"{_ROOT}/cpuacct", f"{_ROOT}/memory"
CGROUP_FILES = (
    f"{_ROOT}/cpu.stat",
    f"{_ROOT}/cpu.max",
    f"{_ROOT}/memory.current",
    f"{_ROOT}/memory.max",
    f"{_ROOT}/memory.stat",
    f"{_ROOT}/memory.events",
    f"{_CPU_1}/cpuacct.usage",
    f"{_ROOT}/cpu/cpu.cfs_quota_us",
    f"{_ROOT}/cpu/cpu.cfs_period_us",
    f"{_MEMORY_1}/memory.usage_in_bytes",
    f"{_MEMORY_1}/memory.limit_in_bytes",
    f"{_MEMORY_1}/memory.stat",
    f"{_MEMORY_1}/memory.oom_control",
)
# Version 1 has no word for "no limit" but the largest number of pages.
_UNLIMITED = 2**60


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the container or the server started, and memory in use that cannot be given back.

    A limit is None where nothing enforces one, `oom_kills` where nobody counts them.
    """

    cpu_seconds: float
    memory: Bytes
    cpu_limit: float | None = None
    memory_limit: Bytes | None = None
    oom_kills: int | None = None

    def cpu_seconds_since(self, before: Usage) -> float:
        """CPU seconds that came between; a server that was started anew has counted from nothing."""
        between = self.cpu_seconds - before.cpu_seconds
        return between if between >= 0 else self.cpu_seconds


def of_cgroup(files: Mapping[str, str | None]) -> Usage | None:
    """The usage that the files of a container's cgroup tell, None where they are not those of one.

    The machine's own cgroup, which a container sees without a namespace of its own, has no `cpu.max`.
    """
    texts = {path: text for path, text in files.items() if text is not None}
    if f"{_ROOT}/cpu.max" in texts and f"{_ROOT}/memory.current" in texts:
        return _version_2({path.removeprefix(f"{_ROOT}/"): text for path, text in texts.items()})
    if f"{_CPU_1}/cpuacct.usage" in texts and f"{_MEMORY_1}/memory.usage_in_bytes" in texts:
        return _version_1({path.removeprefix(f"{_ROOT}/"): text for path, text in texts.items()})
    return None


def _version_2(texts: Mapping[str, str]) -> Usage:
    quota, _, period = texts["cpu.max"].partition(" ")
    memory = int(texts["memory.current"]) - _pairs(texts.get("memory.stat", "")).get("inactive_file", 0)
    limit = texts.get("memory.max", "max").strip()
    return Usage(
        _pairs(texts["cpu.stat"])["usage_usec"] / 1e6,
        Bytes(max(memory, 0)),
        None if quota.strip() == "max" else int(quota) / int(period),
        None if limit == "max" else Bytes(int(limit)),
        _pairs(texts.get("memory.events", "")).get("oom_kill"),
    )


def _version_1(texts: Mapping[str, str]) -> Usage:
    quota, period = int(texts.get("cpu/cpu.cfs_quota_us", "-1")), int(texts.get("cpu/cpu.cfs_period_us", "1"))
    idle = _pairs(texts.get("memory/memory.stat", "")).get("total_inactive_file", 0)
    limit = int(texts.get("memory/memory.limit_in_bytes", _UNLIMITED))
    return Usage(
        int(texts["cpuacct/cpuacct.usage"]) / 1e9,
        Bytes(max(int(texts["memory/memory.usage_in_bytes"]) - idle, 0)),
        quota / period if quota > 0 else None,
        None if limit >= _UNLIMITED else Bytes(limit),
        _pairs(texts.get("memory/memory.oom_control", "")).get("oom_kill"),
    )


def _pairs(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"(?m)^(\w+) ([0-9]{1,20})$", text)}
