"""timescaledb-tune (timescale/timescaledb-tune), its default profile."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.hardware.model import HardwareProfile
from stackctl.units import GIB, KIB, MIB, TIB

_BACKGROUND_WORKERS = 16
_BUILT_IN_PROCESSES = 3
_MAINTENANCE_LIMIT = 2047 * MIB
_WAL_SEGMENT = 16 * MIB
_UNITS = ((TIB, "TB", "GB"), (GIB, "GB", "MB"), (MIB, "MB", "kB"))


def peer(profile: HardwareProfile, connections: int = 0, wal_disk: int = 0) -> Mapping[str, str]:
    """What the tool writes; `connections` 0 and `wal_disk` 0 are its defaults, by RAM and none given.

    Source: timescaledb-tune's code (pkg/pgtune) with the values of April 2026. The library that it adds to
    shared_preload_libraries is left out: it is the product, not a setting.
    """
    connections = connections or _connections(profile.ram)
    return {
        **_memory(profile, connections),
        **_parallel(profile.cpus),
        **_wal(profile.ram, wal_disk),
        "default_statistics_target": "100",
        "random_page_cost": "1.1",
        "checkpoint_completion_target": "0.9",
        "max_connections": str(connections),
        "max_locks_per_transaction": _locks(profile.ram),
        "autovacuum_max_workers": "10",
        "autovacuum_naptime": "10",
        "effective_io_concurrency": "256",
        "default_toast_compression": "lz4",
        "jit": "off",
    }


def _connections(ram: int) -> int:
    """By steps of RAM. 25 is the least: Patroni replaces anything below it by 100."""
    for gigabytes, connections in ((2, 25), (4, 50), (6, 75)):
        if ram <= gigabytes * GIB:
            return connections
    return 100


def _memory(profile: HardwareProfile, connections: int) -> Mapping[str, str]:
    ram = profile.ram
    each = ram / GIB * (400 * MIB / connections) / _half(profile.cpus)
    return {
        "shared_buffers": _size(ram // 4),
        "effective_cache_size": _size(ram * 3 // 4),
        "maintenance_work_mem": _size(min(ram // 8, _MAINTENANCE_LIMIT)),
        "work_mem": _size(max(int(each), 64 * KIB)),
    }


def _parallel(cpus: int) -> Mapping[str, str]:
    if cpus < 2:
        return {}
    return {
        "timescaledb.max_background_workers": str(_BACKGROUND_WORKERS),
        "max_worker_processes": str(_BUILT_IN_PROCESSES + _BACKGROUND_WORKERS + cpus),
        "max_parallel_workers_per_gather": str(_half(cpus)),
        "max_parallel_workers": str(cpus),
    }


def _wal(ram: int, disk: int) -> Mapping[str, str]:
    """60 % of the WAL's disk in whole segments, 1 GB where the size is not given."""
    most = -(-(disk * 60 // 100) // _WAL_SEGMENT) * _WAL_SEGMENT if disk else GIB
    buffers = 16 * MIB if ram >= 2 * GIB else int(ram / GIB * 7864 * KIB)
    return {"wal_buffers": _size(buffers), "min_wal_size": _size(most // 2), "max_wal_size": _size(most)}


def _locks(ram: int) -> str:
    for gigabytes, locks in ((32, "1024"), (16, "512"), (8, "256")):
        if ram >= gigabytes * GIB:
            return locks
    return "128"


def _half(cpus: int) -> int:
    """Half the CPUs, and the half of an odd number rounded up, as Go's math.Round does."""
    return (cpus + 1) // 2


def _size(size: int) -> str:
    """`size` as the tool prints it: in the unit below the largest where a thousandth or more would be lost."""
    for factor, unit, smaller in _UNITS:
        if size >= factor:
            value = size / factor
            return f"{int(value)}{unit}" if value - int(value) <= 0.001 else f"{int(value * 1024)}{smaller}"
    return f"{max(round(size / KIB), 1)}kB"
