"""Autovacuum: early and small rather than late and large."""

from __future__ import annotations

from stackctl.sizing.ledger import Ledger

_SOURCE = "requirement S5"


def enter(ledger: Ledger) -> int:
    """Enter when autovacuum runs, how fast and with how many workers; gives back the number of workers."""
    ledger.topic("Autovacuum")
    ledger.set("autovacuum", "on", "without it tables bloat and the transaction counter wraps", _SOURCE)
    workers = _workers(ledger)
    ledger.set("autovacuum_naptime", "10s", "busy tables are looked at more often", _SOURCE)
    ledger.count("autovacuum_vacuum_threshold", 50, "stock", _SOURCE)
    ledger.count("autovacuum_analyze_threshold", 50, "stock", _SOURCE)
    ledger.set("autovacuum_vacuum_scale_factor", "0.05", "at 5 % dead rows, not 20 %", _SOURCE)
    ledger.set("autovacuum_analyze_scale_factor", "0.025", "statistics follow 2.5 % of changes", _SOURCE)
    ledger.count("autovacuum_vacuum_cost_limit", 2000, "stock 200 is for disks of 2005; shared by all workers", _SOURCE)
    ledger.set("autovacuum_vacuum_cost_delay", "2ms", "stock", _SOURCE)
    ledger.offer(
        "vacuum_buffer_usage_limit",
        "2MB",
        "stock of PostgreSQL 17: with 256kB a vacuum waits for the WAL, and takes 1.6 times the CPU time",
        "measured",
    )
    return workers


def _workers(ledger: Ledger) -> int:
    connections = ledger.number("max_connections")
    workers = ledger.count(
        "autovacuum_max_workers",
        4 if connections >= 50 else 3 if connections >= 25 else 2,
        "one more large table at a time than stock; fewer below 50 and 25 connections, which write less",
        _SOURCE,
    )
    slots = ledger.number("autovacuum_worker_slots")
    if workers > slots > 0 and ledger.pinned("autovacuum_worker_slots") is None:
        ledger.count("autovacuum_worker_slots", workers, "workers beyond the slots would never start", _SOURCE)
    return workers
