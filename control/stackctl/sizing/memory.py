"""Memory: buffers, work memory, and the proof that the worst case fits the container."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.hardware.model import HardwareProfile, Workload
from stackctl.sizing.connections import small_work_mem
from stackctl.sizing.extras import pinned_extras
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import Connections, MemoryItem, MemoryProof, Verdict
from stackctl.units import GIB, KIB, MIB, Bytes, floor_power_of_two, floor_to, human, pg_size

BACKEND = 10 * MIB
BACKEND_IDLE = 2 * MIB
SHARED_BASE = 30 * MIB
SHARED_PER_CONNECTION = 150 * KIB
_WORK_MEM_CAP = {
    Workload.WEB: 64 * MIB,
    Workload.OLTP: 64 * MIB,
    Workload.MIXED: 128 * MIB,
    Workload.OLAP: GIB,
    Workload.DEV: 16 * MIB,
}


@dataclass(frozen=True)
class Buffers:
    """The server-wide memory values in force, in bytes."""

    shared_buffers: Bytes
    maintenance_work_mem: Bytes
    autovacuum_work_mem: Bytes
    autovacuum_workers: int
    small_work_mem: Bytes
    pinned: tuple[MemoryItem, ...] = ()


@dataclass(frozen=True)
class Operations:
    """What one query may take: `work_mem` bytes times `hash_mem_multiplier`, and its parallel workers."""

    work_mem: Bytes
    hash_mem_multiplier: float
    parallel_workers: int
    per_gather: int
    wal_senders: int = 0

    @property
    def one(self) -> int:
        """Bytes of one sort or hash operation."""
        return int(self.work_mem * max(1.0, self.hash_mem_multiplier))


def enter_buffers(
    ledger: Ledger, profile: HardwareProfile, limit: Bytes, connections: Connections, parallel: Operations
) -> Buffers:
    """Enter the server-wide memory values: shared_buffers gets a quarter of RAM, or what the rest leaves."""
    ledger.topic("Memory")
    rest = replace(_enter_maintenance(ledger, profile), pinned=pinned_extras(ledger, connections))
    others = prove(limit, rest, connections, parallel).worst_case + connections.app_total * MIB
    ram = profile.ram
    wanted, left = min(ram // 4, 8 * GIB), max((limit * 9 // 10 - others) * 100 // 103, 16 * MIB)
    size = min(wanted, left)
    why = "a quarter of RAM, at most 8 GB: beyond that the page cache serves as well and checkpoints grow"
    shared = ledger.memory(
        "shared_buffers",
        floor_to(size, MIB if size < GIB else 16 * MIB),
        why if wanted <= left else "what the other items leave of PostgreSQL's share, less than a quarter of RAM",
        "requirement S1",
    )
    cache = min(ram * 3 // 4, limit)
    ledger.memory(
        "effective_cache_size",
        floor_to(cache, MIB),
        f"{'three quarters of RAM' if cache < limit else 'PostgreSQL has no more'}: buffers and page cache together",
        "requirement S1",
    )
    return replace(rest, shared_buffers=shared)


def _enter_maintenance(ledger: Ledger, profile: HardwareProfile) -> Buffers:
    ram = profile.ram
    maintenance = ledger.memory(
        "maintenance_work_mem",
        floor_to(min(ram // 16, 2 * GIB), MIB),
        "a sixteenth of RAM, for index builds and manual vacuum, one at a time",
        "requirement S1",
    )
    vacuum = ledger.memory(
        "autovacuum_work_mem",
        Bytes(min(256 * MIB, max(4 * MIB, floor_to(maintenance // 4, MIB)))),
        "a quarter of maintenance_work_mem: the default -1 would give each worker all of it",
        "requirement S5",
    )
    workers = ledger.count(
        "autovacuum_max_workers",
        4 if ram >= 4 * GIB else 3 if ram >= 2 * GIB else 2,
        "one more large table at a time than stock, where RAM allows",
        "requirement S5",
    )
    each = Bytes(vacuum if vacuum > 0 else maintenance)
    return Buffers(Bytes(0), maintenance, each, workers, small_work_mem(ram))


def enter_work_mem(
    ledger: Ledger,
    profile: HardwareProfile,
    limit: Bytes,
    buffers: Buffers,
    connections: Connections,
    parallel: Operations,
) -> Operations:
    """Enter work_mem: what is left, shared by all operations of the worst case, rounded down to a power of two."""
    fixed = prove(limit, buffers, connections, parallel).worst_case
    room = max(limit * 15 // 16 - fixed, 0)
    shares = connections.app_total + parallel.parallel_workers + 1.31 * (parallel.per_gather + 1)
    ledger.topic("Memory")
    multiplier = float(
        ledger.set(
            "hash_mem_multiplier",
            "1.0",
            "hashes keep to work_mem, so that the proof holds",
            "requirement S10",
        )
    )
    sized = floor_power_of_two(max(int(room / shares / max(1.0, multiplier)), 64 * KIB))
    sized = Bytes(max(min(sized, _WORK_MEM_CAP[profile.workload]), 64 * KIB))
    work_mem = ledger.memory(
        "work_mem",
        sized,
        f"{human(int(room))} left by the fixed items, over {shares:.0f} operations at once, down to a power of two",
        "requirement S10",
    )
    return Operations(work_mem, multiplier, parallel.parallel_workers, parallel.per_gather, parallel.wal_senders)


def shm_size(buffers: Buffers, operations: Operations) -> Bytes:
    """Size of /dev/shm in bytes: a parallel hash join, or a parallel vacuum, whichever is larger.

    Measured peak of a join: 1.31 x work_mem x hash_mem_multiplier x (per_gather + 1). Docker's 64 MB is the floor.
    """
    join = int(1.31 * operations.one * (operations.per_gather + 1))
    return Bytes(-(-max(join, buffers.maintenance_work_mem, 64 * MIB) // MIB) * MIB)


def prove(limit: Bytes, buffers: Buffers, connections: Connections, operations: Operations) -> MemoryProof:
    """Add up what the role limits allow at once, by the model of requirement S10."""
    items = (*_fixed(buffers, connections, operations), *buffers.pinned, *_per_operation(connections, operations))
    worst = sum(item.size for item in items)
    verdict = Verdict.FAIL if worst > limit else Verdict.WARN if worst > limit * 31 // 32 else Verdict.OK
    fix = _fix(worst - limit, buffers, connections, operations) if verdict is Verdict.FAIL else None
    return MemoryProof(limit, items, verdict, fix)


def _item(name: str, size: float, formula: str, typical: float = 0) -> MemoryItem:
    return MemoryItem(name, Bytes(int(size)), Bytes(int(typical)), formula)


def _fixed(buffers: Buffers, connections: Connections, operations: Operations) -> tuple[MemoryItem, ...]:
    app, others, senders = connections.app_total, connections.reserved, operations.wal_senders
    overhead = SHARED_BASE + connections.max_connections * SHARED_PER_CONNECTION
    shared = buffers.shared_buffers * 103 // 100 + overhead
    small = buffers.small_work_mem
    vacuum = buffers.autovacuum_work_mem + BACKEND
    return (
        _item("shared memory", shared, f"1.03 x {pg_size(buffers.shared_buffers)} + {overhead // MIB}MB", shared),
        _item("app backends", app * BACKEND, f"{app} connections x 10MB", app * BACKEND_IDLE),
        _item(
            "other roles",
            others * (BACKEND + small),
            f"{others} connections x (10MB + {pg_size(small)})",
            4 * BACKEND_IDLE,
        ),
        _item("WAL senders", senders * BACKEND, f"{senders} senders x 10MB"),
        _item(
            "autovacuum",
            buffers.autovacuum_workers * vacuum,
            f"{buffers.autovacuum_workers} workers x ({pg_size(buffers.autovacuum_work_mem)} + 10MB)",
            vacuum,
        ),
        _item("maintenance", buffers.maintenance_work_mem, f"one operation x {pg_size(buffers.maintenance_work_mem)}"),
    )


def _per_operation(connections: Connections, operations: Operations) -> tuple[MemoryItem, ...]:
    app, one, workers = connections.app_total, operations.one, operations.parallel_workers
    # Vacuum's share of /dev/shm is maintenance_work_mem itself, which is counted above.
    shm = int(1.31 * one * (operations.per_gather + 1)) if operations.per_gather else 0
    text = pg_size(operations.work_mem)
    factor = f"{operations.hash_mem_multiplier:g}"
    return (
        _item(
            "app work_mem",
            app * one,
            f"{app} connections x {text} x {factor}, one operation each",
            app * one // 20,
        ),
        _item("parallel workers", workers * (BACKEND + one), f"{workers} workers x (10MB + {text} x {factor})"),
        _item("/dev/shm", shm, f"1.31 x {text} x {factor} x ({operations.per_gather} + 1)"),  # noqa: S108
    )


def _fix(excess: int, buffers: Buffers, connections: Connections, operations: Operations) -> str:
    """The smallest change that would pass: the work_mem, or else the shared_buffers, that brings the sum down."""
    per_kib = connections.app_total + operations.parallel_workers + 1.31 * (operations.per_gather + 1)
    multiplier = max(1.0, operations.hash_mem_multiplier)
    lower = floor_to(int(operations.work_mem - excess / per_kib / multiplier) - KIB, 64 * KIB)
    if lower >= 64 * KIB:
        return f"work_mem at most {pg_size(lower)} would fit"
    buffers_less = floor_to(int(buffers.shared_buffers - excess / 1.03), MIB)
    if buffers_less >= 16 * MIB:
        return f"shared_buffers at most {pg_size(buffers_less)} would fit"
    if buffers.pinned and sum(item.size for item in buffers.pinned) >= excess:
        return f"a smaller {' and a smaller '.join(item.name for item in buffers.pinned)} would fit"
    return "fewer connections, fewer --app-workers or more RAM would fit: work_mem and shared_buffers alone do not"
