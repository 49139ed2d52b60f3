"""pgtune (le0pard/pgtune), for Linux and a database about as large as RAM, which is its form's default."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.units import GIB, KIB, MIB, pg_size

# pgtune says dw for olap and desktop for dev, and knows network disks as san.
_CONNECTIONS = {Workload.WEB: 200, Workload.OLTP: 300, Workload.OLAP: 40, Workload.DEV: 20, Workload.MIXED: 100}
_WAL = {
    Workload.WEB: ("1GB", "4GB"),
    Workload.OLTP: ("2GB", "8GB"),
    Workload.OLAP: ("4GB", "16GB"),
    Workload.DEV: ("100MB", "2GB"),
    Workload.MIXED: ("1GB", "4GB"),
}
_READS_AT_ONCE = {Storage.HDD: "2", Storage.SSD: "200", Storage.NETWORK: "300", Storage.NVME: "1000"}
_WORK_MEM_DIVISOR = {Workload.OLAP: 2, Workload.MIXED: 2, Workload.DEV: 6}
_STOCK_WORKER_PROCESSES = 8


def peer(profile: HardwareProfile, connections: int = 0) -> Mapping[str, str]:
    """The configuration of pgtune's form; `connections` 0 is its default for the workload.

    Source: pgtune's code as seen in July 2026 (configurationSlice.js). It sets io_workers only without io_uring.
    """
    connections = connections or _CONNECTIONS[profile.workload]
    low, high = _WAL[profile.workload]
    analytic, desktop = profile.workload is Workload.OLAP, profile.workload is Workload.DEV
    return {
        "max_connections": str(connections),
        **_memory(profile, connections),
        "checkpoint_completion_target": "0.9",
        "default_statistics_target": "500" if analytic else "100",
        "random_page_cost": "4" if analytic or profile.storage is Storage.HDD else "1.1",
        "effective_io_concurrency": _READS_AT_ONCE[profile.storage],
        **({} if analytic or desktop else {"jit": "off"}),
        "wal_compression": "lz4" if profile.postgres >= 15 else "on",
        **_vacuum_workers(profile.cpus),
        **({"io_method": "io_uring"} if profile.postgres >= 18 else {}),
        "min_wal_size": low,
        "max_wal_size": high,
        **_parallel(profile),
        **({"wal_level": "minimal", "max_wal_senders": "0"} if desktop else {}),
    }


def _memory(profile: HardwareProfile, connections: int) -> Mapping[str, str]:
    ram, desktop = profile.ram, profile.workload is Workload.DEV
    shared = ram // (16 if desktop else 4)
    maintenance = min(ram // (8 if profile.workload is Workload.OLAP else 16), 8 * GIB)
    return {
        "shared_buffers": _size(shared),
        "effective_cache_size": _size(ram // 4 if desktop else ram * 3 // 4),
        "maintenance_work_mem": _size(maintenance),
        "wal_buffers": _size(_wal_buffers(shared)),
        "work_mem": _size(_work_mem(profile, shared, connections)),
        "huge_pages": "try" if shared >= 2 * GIB else "off",
        **({"autovacuum_work_mem": "2GB"} if maintenance >= 2 * GIB else {}),
    }


def _wal_buffers(shared: int) -> int:
    """Bytes: 3 % of shared_buffers up to 16 MB, and 16 MB from 14 MB on."""
    size = shared // KIB * 3 // 100 * KIB
    return 16 * MIB if size > 14 * MIB else max(size, 32 * KIB)


def _work_mem(profile: HardwareProfile, shared: int, connections: int) -> int:
    """Bytes: RAM without the buffers, over three operations of each connection and worker; at least 4 MB."""
    processes = profile.cpus if profile.cpus >= 4 else _STOCK_WORKER_PROCESSES
    shares = (connections + processes) * 3 * _WORK_MEM_DIVISOR.get(profile.workload, 1)
    return max((profile.ram - shared) // shares, 4 * MIB)


def _vacuum_workers(cpus: int) -> Mapping[str, str]:
    if cpus < 16:
        return {}
    return {"autovacuum_max_workers": "5" if cpus >= 32 else "4"}


def _parallel(profile: HardwareProfile) -> Mapping[str, str]:
    cpus = profile.cpus
    if cpus < 4:
        return {}
    half = -(-cpus // 2)
    return {
        "max_worker_processes": str(cpus),
        "max_parallel_workers_per_gather": str(half if profile.workload is Workload.OLAP else min(half, 4)),
        "max_parallel_workers": str(cpus),
        "max_parallel_maintenance_workers": str(min(half, 4)),
    }


def _size(size: int) -> str:
    return pg_size(size // KIB * KIB)
