"""What pins allocate beyond the other items of the memory proof; nothing where all is at its default or sized."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import Connections, MemoryItem
from stackctl.units import Bytes, pg_size

# Bytes of shared memory, from `postgres -C shared_memory_size` of PostgreSQL 18 with one parameter raised at a time.
_LOCK = 420
_PREDICATE_LOCK = 260
# ANALYZE holds 300 rows for each unit of the target; rows of 1.5 kB were measured at 2 kB each.
_SAMPLE = 300 * 2048
_PREPARED = 6 * 1024
# PostgreSQL 18 has 64 I/O handles for each process, and 24 bytes in each for every page that one may combine.
_HANDLES = 64
_PAGE = 24
# A prepared statement with its generic plan over two tables.
_STATEMENT = 33 * 1024
_STATEMENTS = "PG_PREPARED_STATEMENT_CACHE"
_AUXILIARY = 40  # processes that no parameter counts: up to 32 for I/O, checkpointer, writers, launchers
_DECODING = "logical_decoding_work_mem"
_EACH = {
    "max_replication_slots": 320,
    "max_active_replication_origins": 110,
    "pg_stat_statements.max": 460,
}
_RESERVED_WHOLE = (
    "min_dynamic_shared_memory",
    "commit_timestamp_buffers",
    "multixact_member_buffers",
    "multixact_offset_buffers",
    "notify_buffers",
    "serializable_buffers",
    "subtransaction_buffers",
    "transaction_buffers",
)


@dataclass(frozen=True)
class _Rule:
    """`times` x (value - `included`) / `per` x `each` bytes; `included` None is the default, counted elsewhere."""

    each: int = 1
    times: int = 1
    whose: str = ""
    included: int | None = None
    per: int = 1


def pinned_extras(ledger: Ledger, connections: Connections) -> tuple[MemoryItem, ...]:
    """One item for each pin above its default that makes the server allocate more.

    It looks at the values in force, so the ledger must have its connections, WAL and parallelism.
    """
    rules = _rules(ledger, connections)
    items = [_item(ledger, name, rule) for name, rule in rules.items() if ledger.has(name) and _counts(ledger, name)]
    return tuple(item for item in [*items, _statements(ledger, connections)] if item.size > 0)


def _statements(ledger: Ledger, connections: Connections) -> MemoryItem:
    """Prepared statements beyond the 100 of each connection that a session was measured with."""
    more = max(int(ledger.given(_STATEMENTS, "100")) - 100, 0)
    app = connections.app_total
    formula = f"{app} connections x {more} more than 100 x {_STATEMENT // 1024}kB"
    return MemoryItem("prepared statements", Bytes(app * more * _STATEMENT), Bytes(0), formula)


def _counts(ledger: Ledger, name: str) -> bool:
    # Nothing is decoded at the sized wal_level, so what a decoder may take is no part of the other items.
    if name == _DECODING and ledger.value("wal_level").lower() == "logical":
        return True
    return ledger.pinned(name) is not None and ledger.number(name) > _default(ledger, name)


def _rules(ledger: Ledger, connections: Connections) -> dict[str, _Rule]:
    all_of_them = processes(ledger)
    handles = all_of_them * ledger.pinned_number("io_max_concurrency", _HANDLES)
    locks = ledger.number("max_locks_per_transaction") * _LOCK
    locks += ledger.number("max_pred_locks_per_transaction") * _PREDICATE_LOCK
    return {
        "temp_buffers": _Rule(times=connections.app_total + connections.reserved, whose="connections", included=0),
        "wal_decode_buffer_size": _Rule(),
        "io_max_combine_limit": _Rule(_PAGE, handles, "I/O handles", per=8192),
        _DECODING: _Rule(times=ledger.number("max_wal_senders"), whose="senders", included=0),
        "max_locks_per_transaction": _Rule(_LOCK, all_of_them, "processes"),
        "max_pred_locks_per_transaction": _Rule(_PREDICATE_LOCK, all_of_them, "processes"),
        "max_prepared_transactions": _Rule(_PREPARED + locks),
        "default_statistics_target": _Rule(_SAMPLE, ledger.number("autovacuum_max_workers"), "workers"),
        "track_activity_query_size": _Rule(times=all_of_them, whose="processes"),
        "io_max_concurrency": _Rule(540, all_of_them, "processes", 0),
        **{name: _Rule(each) for name, each in _EACH.items()},
        **{name: _Rule(included=0) for name in _RESERVED_WHOLE},
    }


def processes(ledger: Ledger) -> int:
    """All processes that the server reserves shared memory for, by the values in force."""
    vacuum = max(ledger.number("autovacuum_worker_slots"), ledger.number("autovacuum_max_workers"))
    others = ledger.number("max_worker_processes") + ledger.number("max_wal_senders")
    return ledger.number("max_connections") + vacuum + others + _AUXILIARY


def _default(ledger: Ledger, name: str) -> int:
    entry = ledger.entry(name)
    return int(entry.number(entry.default))


def _item(ledger: Ledger, name: str, rule: _Rule) -> MemoryItem:
    value = ledger.number(name)
    included = _default(ledger, name) if rule.included is None else rule.included
    size = rule.times * (value - included) // rule.per * rule.each

    def text(number: int) -> str:
        return pg_size(number) if ledger.entry(name).memory else str(number)

    amount = f"{text(value)} - {text(included)}" if included else text(value)
    whose = [f"{rule.times} {rule.whose}"] if rule.whose else []
    each = [f"{rule.each} bytes"] if rule.each > 1 else []
    if included and (whose or each):
        amount = f"({amount})"
    return MemoryItem(name, Bytes(size), Bytes(0), " x ".join([*whose, amount, *each]))
