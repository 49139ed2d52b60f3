"""Logs and statistics: what an operator will ask for afterwards."""

from __future__ import annotations

from stackctl.sizing.ledger import Ledger

_SOURCE = "requirement S6"
LINE_PREFIX = "%m [%p] user=%u,db=%d,app=%a,client=%h "


def enter(ledger: Ledger) -> None:
    """Enter logging, statement statistics and time limits."""
    ledger.topic("Logging")
    ledger.set("log_min_duration_statement", "1s", "statements this slow are worth a line", _SOURCE)
    ledger.set("log_line_prefix", LINE_PREFIX, "time, pid, user, database, application, client", _SOURCE)
    ledger.set("log_checkpoints", "on", "shows checkpoints that are forced", _SOURCE)
    ledger.set("log_lock_waits", "on", "names who waits for whom after deadlock_timeout", _SOURCE)
    ledger.set("log_connections", "on", "who came from where; costs 450 bytes, no time", _SOURCE)
    ledger.set("log_disconnections", "on", "how long a session lasted", _SOURCE)
    ledger.set("log_temp_files", "10MB", "a spill this large asks for a look at work_mem", _SOURCE)
    ledger.set("log_autovacuum_min_duration", "1s", "shows vacuum that struggles", _SOURCE)
    ledger.set("lc_messages", "C", "the app and the alerts tell errors apart by their English text", "the app")
    ledger.topic("Statistics")
    source = "requirement S7"
    ledger.libraries(
        "shared_preload_libraries",
        "pg_stat_statements",
        "statement statistics need it from the start",
        source,
    )
    ledger.set("pg_stat_statements.track", "all", "statements inside functions too", source)
    ledger.count("pg_stat_statements.max", 10000, "distinct statements kept", source)
    ledger.set("track_io_timing", "on", "tells waiting for the disk from computing", "pigsty")
    ledger.topic("Time limits")
    source = "requirement S8"
    ledger.set("idle_in_transaction_session_timeout", "5min", "an abandoned transaction holds back vacuum", source)
    ledger.set("client_connection_check_interval", "10s", "a query whose client is gone ends", source)
