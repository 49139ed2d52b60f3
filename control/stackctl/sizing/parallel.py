"""Parallel query: worker processes by CPU and workload."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.hardware.model import HardwareProfile, Workload
from stackctl.sizing.ledger import Ledger
from stackctl.units import MIB

_RAM_PER_WORKER = 256 * MIB
_SOURCE = "pgtune, bounded by RAM"


@dataclass(frozen=True)
class Parallel:
    """Worker processes in all and for one query; the exact numbers are those before RAM rounds them down."""

    workers: int
    per_gather: int
    exact_workers: float
    exact_gather: float


def enter(ledger: Ledger, profile: HardwareProfile) -> Parallel:
    """Enter the worker counts."""
    ledger.topic("Parallelism")
    affordable = min(_workers(profile), max(2, profile.ram / _RAM_PER_WORKER))
    workers = ledger.offer_count(
        "max_parallel_workers",
        int(affordable),
        f"{_SHARES[profile.workload]}, and no more than one per 256 MiB of RAM",
        _SOURCE,
    )
    ledger.offer_count(
        "max_worker_processes", max(8, workers + 4), "the parallel workers, and four for extensions", _SOURCE
    )
    gather = _per_gather(profile)
    per_gather = ledger.offer_count(
        "max_parallel_workers_per_gather",
        min(gather, workers),
        "half the CPUs, at most 8, for one large query"
        if profile.workload is Workload.OLAP
        else "no more than stock, and a CPU for the leader: many short queries share the CPUs",
        _SOURCE,
    )
    ledger.offer_count(
        "max_parallel_maintenance_workers",
        max(1, min(profile.cpus // 2, 4, workers)),
        "half the CPUs, at most 4, for an index build",
        _SOURCE,
    )
    per_gather = min(per_gather, workers)
    exact = affordable if ledger.pinned("max_parallel_workers") is None else workers
    sized = ledger.pinned("max_parallel_workers_per_gather") is None
    return Parallel(workers, per_gather, exact, min(gather, exact) if sized else per_gather)


_SHARES = {
    Workload.WEB: "one per CPU, beyond 8 for every other one: short queries are many already",
    Workload.OLTP: "one per CPU, beyond 8 for every other one: short queries are many already",
    Workload.DEV: "one per CPU, beyond 8 for every other one",
    Workload.MIXED: "one per CPU",
    Workload.OLAP: "one per CPU",
}


def _workers(profile: HardwareProfile) -> int:
    cpus = profile.cpus
    if profile.workload not in (Workload.MIXED, Workload.OLAP):
        cpus = min(cpus, max(8, cpus // 2))
    return max(cpus, 2)


def _per_gather(profile: HardwareProfile) -> int:
    cpus = profile.cpus
    if profile.workload is Workload.OLAP:
        return min(max(cpus // 2, min(cpus - 1, 2)), 8)
    return min(cpus - 1, 4 if profile.workload is Workload.MIXED and cpus >= 16 else 2)
