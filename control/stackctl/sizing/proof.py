"""The memory proof: everything PostgreSQL may use at once, item by item, against the limit of its container."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.sizing.model import MemoryItem, MemoryProof, Verdict
from stackctl.units import KIB, MIB, Bytes, counted, pg_size

# Private memory of processes, measured by tools/measure_memory.py on PostgreSQL 15, 17 and 18.
IDLE = 2 * MIB
SENDER = 4 * MIB
WORKER = 4 * MIB
SERVER = 10 * MIB
# Shared memory beside the buffers, as the server itself computes it (`postgres -C shared_memory_size`): pages of 8 kB
# need descriptors, each process its locks, and 10,000 statements their statistics.
BUFFERS = 1.031
SHARED_BASE = 8 * MIB
PER_PROCESS = 48 * KIB
PER_PROCESS_18 = 82 * KIB
# A page table entry of 8 bytes for each 4 kB of buffers that a process has touched, in 2 MB at a time.
PAGE_TABLES = 1 / 512
# The checkpointer, the background writer and the maintenance operation.
READERS = 3
# A parallel hash join grows in /dev/shm by steps (… 30, 46, 62, 94 … MB); the next one is at most this much more than
# work_mem x hash_mem_multiplier x (workers + 1).
JOIN = 1.53


@dataclass(frozen=True)
class Amounts:
    """The memory settings in force, in bytes; fractions where they are not rounded yet.

    `session` is what a session takes beside its operations: catalogue caches, plans, buffers of its own.
    """

    maintenance_work_mem: float
    autovacuum_work_mem: float
    small_work_mem: float
    wal_buffers: float
    session: float
    shared_buffers: float = 0
    work_mem: float = 0
    report_work_mem: float = 0
    hash_mem_multiplier: float = 1.0

    @property
    def operation(self) -> float:
        """Bytes of one sort or hash operation of the app."""
        return self.work_mem * max(1.0, self.hash_mem_multiplier)

    @property
    def report_operation(self) -> float:
        """Bytes of one operation of a report."""
        return self.report_work_mem * max(1.0, self.hash_mem_multiplier)


@dataclass(frozen=True)
class Counts:
    """How many of each there may be at once; fractions where they are not rounded down yet.

    `processes` are all that the server reserves shared memory for, of `per_process` bytes each. An operation of a
    report takes `report_factor` of the app's; 0 where its size does not depend on that.
    """

    processes: int
    per_process: int
    app: float
    administrators: int
    others: int
    senders: int
    vacuum: int
    workers: float
    gather: float
    report: int = 0
    report_factor: float = 1.0
    huge_pages: bool = False

    @property
    def operations(self) -> float:
        """Operations at once, each with the app's work_mem; a parallel join counts by its peak in /dev/shm."""
        plain = self.app + self.administrators + self.workers - self.reporting + self.join
        return plain + (self.report + self.reporting) * self.report_factor

    @property
    def reporting(self) -> float:
        """Parallel workers that may all work for reports at once, each with a report's work_mem."""
        return min(self.workers, self.report * self.gather)

    @property
    def readers(self) -> float:
        """Processes that look at pages in shared_buffers, and need page tables for them."""
        if self.huge_pages:
            return 0.0
        return self.app + self.administrators + self.others + self.report + self.vacuum + self.workers + READERS

    @property
    def join(self) -> float:
        """The largest parallel join, in operations."""
        return JOIN * (self.gather + 1) if self.gather else 0.0


def prove(limit: Bytes, amounts: Amounts, counts: Counts, pinned: Iterable[MemoryItem] = ()) -> MemoryProof:
    """Add up what the role limits allow at once, by the model of requirement S10; `pinned` are further items."""
    proof = MemoryProof(limit, (*items(amounts, counts), *pinned), Verdict.OK)
    if proof.worst_case > limit:
        return MemoryProof(limit, proof.items, Verdict.FAIL)
    return MemoryProof(limit, proof.items, Verdict.WARN) if proof.worst_case > limit * 31 // 32 else proof


def items(amounts: Amounts, counts: Counts) -> tuple[MemoryItem, ...]:
    """The lines of the proof."""
    return (*_server(amounts, counts), *_sessions(amounts, counts), *_operations(amounts, counts))


def _item(name: str, size: float, formula: str, typical: float = 0) -> MemoryItem:
    return MemoryItem(name, Bytes(int(size)), Bytes(int(typical)), formula)


def shared_cost(counts: Counts) -> float:
    """Bytes that one byte of shared_buffers costs: itself, its descriptors, and its entries in page tables."""
    return BUFFERS + counts.readers * PAGE_TABLES


def _server(amounts: Amounts, counts: Counts) -> tuple[MemoryItem, ...]:
    rest = SHARED_BASE + counts.processes * counts.per_process + amounts.wal_buffers
    shared = amounts.shared_buffers * BUFFERS + rest
    tables = amounts.shared_buffers * PAGE_TABLES
    vacuum = amounts.autovacuum_work_mem + amounts.session
    return (
        _item("shared memory", shared, f"{BUFFERS} x {_size(amounts.shared_buffers)} + {rest / MIB:.0f}MB", shared),
        _item(
            "page tables",
            counts.readers * tables,
            f"{counts.readers:.0f} processes x {_size(amounts.shared_buffers)} / 512",
            counts.readers * tables / 20,
        ),
        _item("server processes", SERVER, "checkpointer, writers, launchers and the like", SERVER),
        _item(
            "autovacuum",
            counts.vacuum * vacuum,
            f"{_workers(counts.vacuum)} x ({_size(amounts.autovacuum_work_mem)} + {_size(amounts.session)})",
            vacuum,
        ),
        _item("maintenance", amounts.maintenance_work_mem, f"one operation x {_size(amounts.maintenance_work_mem)}"),
        _item("WAL senders", counts.senders * SENDER, f"{counts.senders} senders x {SENDER // MIB}MB"),
    )


def _sessions(amounts: Amounts, counts: Counts) -> tuple[MemoryItem, ...]:
    session, one = amounts.session, amounts.operation
    small = amounts.small_work_mem * max(1.0, amounts.hash_mem_multiplier)
    return (
        _item(
            "administrators",
            counts.administrators * (session + one),
            f"{_connections(counts.administrators)} x ({_size(session)} + {_operation(amounts, amounts.work_mem)})",
        ),
        _item(
            "app backends",
            counts.app * session,
            f"{_connections(counts.app)} x {_size(session)}",
            counts.app * IDLE,
        ),
        _item(
            "other roles",
            counts.others * (session + small),
            f"{_connections(counts.others)} x ({_size(session)} + {_operation(amounts, amounts.small_work_mem)})",
            4 * IDLE,
        ),
        _item(
            "reports",
            counts.report * (session + amounts.report_operation),
            f"{_connections(counts.report)} x ({_size(session)} + {_operation(amounts, amounts.report_work_mem)})"
            ", one operation each",
        ),
    )


def _operations(amounts: Amounts, counts: Counts) -> tuple[MemoryItem, ...]:
    one = amounts.operation
    text = _operation(amounts, amounts.work_mem)
    return (
        _item(
            "app work_mem",
            counts.app * one,
            f"{_connections(counts.app)} x {text}, one operation each",
            counts.app * one / 20,
        ),
        _parallel_workers(amounts, counts),
        # Vacuum's share of /dev/shm is maintenance_work_mem itself, which is counted above.
        _item("/dev/shm", counts.join * one, f"{JOIN} x {text} x ({counts.gather:.0f} + 1)"),  # noqa: S108
    )


def _parallel_workers(amounts: Amounts, counts: Counts) -> MemoryItem:
    """Those of reports first, as they may be the larger ones."""
    larger = max(amounts.report_work_mem, amounts.work_mem)
    others = counts.workers - counts.reporting
    size = counts.reporting * (WORKER + larger * max(1.0, amounts.hash_mem_multiplier))
    kinds = [(counts.reporting, larger), (others, amounts.work_mem)]
    return _item(
        "parallel workers",
        size + others * (WORKER + amounts.operation),
        " + ".join(
            f"{_workers(count)} x ({WORKER // MIB}MB + {_operation(amounts, work_mem)})"
            for count, work_mem in kinds
            if count
        ),
    )


def shm_size(amounts: Amounts, counts: Counts) -> Bytes:
    """Size of /dev/shm in bytes: a parallel hash join, or a parallel vacuum, whichever is larger; at least 64 MB."""
    join = counts.join * amounts.operation
    return Bytes(-(-int(max(join, amounts.maintenance_work_mem, 64 * MIB)) // MIB) * MIB)


def _operation(amounts: Amounts, work_mem: float) -> str:
    return f"{_size(work_mem)} x {amounts.hash_mem_multiplier:g}"


def _connections(number: float) -> str:
    return counted(round(number), "connection")


def _workers(number: float) -> str:
    return counted(round(number), "worker")


def _size(size: float) -> str:
    return pg_size(int(size))
