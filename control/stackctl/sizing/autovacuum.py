"""Autovacuum: early and small rather than late and large."""

from __future__ import annotations

from stackctl.sizing.ledger import Ledger

_SOURCE = "requirement S5"


def enter(ledger: Ledger) -> None:
    """Enter when autovacuum runs and how fast."""
    ledger.topic("Autovacuum")
    ledger.set("autovacuum", "on", "without it tables bloat and the transaction counter wraps", _SOURCE)
    ledger.set("autovacuum_naptime", "10s", "busy tables are looked at more often", _SOURCE)
    ledger.count("autovacuum_vacuum_threshold", 50, "stock", _SOURCE)
    ledger.count("autovacuum_analyze_threshold", 50, "stock", _SOURCE)
    ledger.set("autovacuum_vacuum_scale_factor", "0.05", "at 5 % dead rows, not 20 %", _SOURCE)
    ledger.set("autovacuum_analyze_scale_factor", "0.025", "statistics follow 2.5 % of changes", _SOURCE)
    ledger.count("autovacuum_vacuum_cost_limit", 2000, "stock 200 is for disks of 2005; shared by all workers", _SOURCE)
    ledger.set("autovacuum_vacuum_cost_delay", "2ms", "stock", _SOURCE)
