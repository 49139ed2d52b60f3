"""Parallel query: worker processes by CPU and workload."""

from __future__ import annotations

from stackctl.hardware.model import HardwareProfile, Workload
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.memory import Operations
from stackctl.units import MIB, Bytes

_STOCK_PER_GATHER = 2
_RAM_PER_WORKER = 256 * MIB


def enter(ledger: Ledger, profile: HardwareProfile, wal_senders: int) -> Operations:
    """Enter the worker counts; gives back the operations with no work_mem yet."""
    ledger.topic("Parallelism")
    cpus, olap = profile.cpus, profile.workload is Workload.OLAP
    gather = min(cpus // 2, 8) if olap else min(cpus - 1, _STOCK_PER_GATHER)
    affordable = max(2, profile.ram // _RAM_PER_WORKER)
    workers = ledger.count(
        "max_parallel_workers",
        min(max(cpus, 2), affordable),
        "one per CPU, and no more than one per 256 MiB of RAM",
        "pgtune",
    )
    ledger.count("max_worker_processes", max(8, cpus + 4), "parallel workers and the extensions' own", "pgtune")
    per_gather = ledger.count(
        "max_parallel_workers_per_gather",
        gather,
        "half the CPUs for one large query" if olap else "no more than stock: many short queries share the CPUs",
        "pgtune",
    )
    ledger.count(
        "max_parallel_maintenance_workers",
        max(1, min(cpus // 2, 4)),
        "half the CPUs, at most 4, for an index build",
        "pgtune",
    )
    return Operations(Bytes(0), 1.0, workers, min(per_gather, workers), wal_senders)
