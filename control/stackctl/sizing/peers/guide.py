"""A published tuning guide for a server with 16 GB."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.hardware.model import HardwareProfile

_VALUES: Mapping[str, str] = {
    "max_connections": "200",
    "shared_buffers": "4GB",
    "effective_cache_size": "12GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "1GB",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "default_statistics_target": "100",
    "jit": "on",
    "wal_level": "replica",
    "wal_buffers": "16MB",
    "wal_compression": "on",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "max_wal_senders": "3",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "autovacuum_max_workers": "4",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.025",
    "autovacuum_vacuum_cost_limit": "2000",
    "autovacuum_vacuum_cost_delay": "2ms",
    "log_min_duration_statement": "1000",
    "log_checkpoints": "on",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_lock_waits": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.max": "10000",
    "max_prepared_transactions": "100",
}


def peer(_profile: HardwareProfile) -> Mapping[str, str]:
    """The same values for every machine. Source: the guide this product grew from; they are meant for 16 GB."""
    return _VALUES
