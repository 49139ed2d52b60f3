"""The values of Pigsty's templates that no machine changes."""

from __future__ import annotations

from collections.abc import Mapping

_EVERY: Mapping[str, str] = {
    "superuser_reserved_connections": "10",
    "max_prepared_transactions": "0",
    "track_commit_timestamp": "on",
    "wal_level": "logical",
    "wal_log_hints": "on",
    "max_wal_senders": "50",
    "max_replication_slots": "50",
    "hash_mem_multiplier": "8.0",
    "huge_pages": "try",
    "vacuum_cost_delay": "20ms",
    "vacuum_cost_limit": "2000",
    "bgwriter_delay": "10ms",
    "bgwriter_lru_maxpages": "800",
    "bgwriter_lru_multiplier": "5.0",
    "wal_buffers": "16MB",
    "wal_writer_delay": "20ms",
    "wal_writer_flush_after": "1MB",
    "commit_delay": "20",
    "commit_siblings": "10",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.95",
    "archive_timeout": "300",
    "max_standby_archive_delay": "10min",
    "max_standby_streaming_delay": "3min",
    "wal_receiver_status_interval": "1s",
    "hot_standby_feedback": "on",
    "wal_receiver_timeout": "60s",
    "max_logical_replication_workers": "8",
    "max_sync_workers_per_subscription": "6",
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    "log_temp_files": "1024",
    "log_replication_commands": "on",
    "log_statement": "ddl",
    "log_min_duration_statement": "100",
    "log_autovacuum_min_duration": "1s",
    "track_io_timing": "on",
    "track_functions": "all",
    "track_activity_query_size": "8192",
    "autovacuum_max_workers": "3",
    "autovacuum_naptime": "1min",
    "autovacuum_vacuum_threshold": "500",
    "autovacuum_analyze_threshold": "250",
    "autovacuum_vacuum_cost_delay": "-1",
    "autovacuum_vacuum_cost_limit": "-1",
    "autovacuum_freeze_max_age": "1000000000",
    "deadlock_timeout": "50ms",
    "idle_in_transaction_session_timeout": "10min",
    "shared_preload_libraries": "pg_stat_statements, auto_explain",
    "auto_explain.log_min_duration": "1s",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_verbose": "on",
    "auto_explain.log_timing": "on",
    "auto_explain.log_nested_statements": "on",
    "pg_stat_statements.max": "10000",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_utility": "off",
    "pg_stat_statements.track_planning": "off",
}
_SCALES: Mapping[str, str] = {
    "autovacuum_vacuum_scale_factor": "0.08",
    "autovacuum_analyze_scale_factor": "0.04",
}
_FEW_PARALLEL: Mapping[str, str] = {
    "parallel_setup_cost": "2000",
    "parallel_tuple_cost": "0.2",
    "min_parallel_table_scan_size": "32MB",
    "min_parallel_index_scan_size": "2MB",
}
_OLAP: Mapping[str, str] = {
    "default_statistics_target": "1000",
    "vacuum_cost_delay": "10ms",
    "vacuum_cost_limit": "10000",
    "enable_partitionwise_join": "on",
    "enable_partitionwise_aggregate": "on",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_threshold": "500",
    "log_min_duration_statement": "1000",
    "idle_in_transaction_session_timeout": "0",
}
_CRIT: Mapping[str, str] = {
    "default_statistics_target": "400",
    "wal_writer_delay": "10ms",
    "wal_writer_flush_after": "0",
    "track_activity_query_size": "32768",
    "idle_in_transaction_session_timeout": "1min",
    "log_connections": "on",
    "log_disconnections": "on",
    "shared_preload_libraries": "$libdir/passwordcheck, pg_stat_statements, auto_explain",
}
_TINY: Mapping[str, str] = {
    "default_statistics_target": "200",
    "autovacuum_max_workers": "2",
    "pg_stat_statements.max": "2500",
}

LITERALS: Mapping[str, Mapping[str, str]] = {
    "oltp": {**_EVERY, **_SCALES, **_FEW_PARALLEL, "default_statistics_target": "400"},
    "olap": {**_EVERY, **_SCALES, **_OLAP},
    "crit": {**_EVERY, **_SCALES, **_FEW_PARALLEL, **_CRIT},
    "tiny": {**_EVERY, **_TINY},
}


def versioned(name: str, postgres: int) -> Mapping[str, str]:
    """What template `name` sets from a version on, or up to one. Source: Pigsty's templates of 2025 and 2026."""
    out = {"wal_compression": "lz4"} if postgres >= 15 else {}
    if name == "crit" and postgres <= 15:
        out["vacuum_defer_cleanup_age"] = "500000"
    if postgres >= 17:
        out["sync_replication_slots"] = "on"
    return {**out, **_since_18(name)} if postgres >= 18 else out


def _since_18(name: str) -> Mapping[str, str]:
    out = {"idle_replication_slot_timeout": "3d" if name == "crit" else "7d"}
    if name in ("oltp", "crit"):
        out["log_lock_failures"] = "on"
    if name in ("olap", "crit"):
        out["track_cost_delay_timing"] = "on"
    if name != "tiny":
        audited = name == "crit"
        out["log_connections"] = "receipt,authentication,authorization" if audited else "authorization"
    return out
