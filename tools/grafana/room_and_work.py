"""The overview's numbers on what is left, and on how the work goes."""

from __future__ import annotations

from grafana.backups import last_trial, newest_backup
from grafana.marks import ANY, CACHE, CONNECTIONS, CPU, DISK, FAILED, LATENCY, MEMORY, POOL, WAL_WAITING
from grafana.panels import Line, Words, stat
from grafana.promql import (
    app_is,
    database_is,
    or_zero,
    quantile,
    rate,
    ratio,
    series,
    total,
)

_HITS, _READS = (total("", rate(f"pg_stat_database_blks_{kind}")) for kind in ("hit", "read"))
_ERRORS = total("", rate("http_requests_total", 'code=~"5.."'))
_REQUESTS = total("", rate("http_requests_total"))

ROOM = Line(
    4,
    (
        stat(
            Words(
                "Connections in use",
                "Share of max_connections that is taken.",
                "See who holds them; a pooler (`--pooler pgbouncer`) needs fewer.",
            ),
            f"max({total('job, instance', series('pg_stat_database_numbackends'))}"
            f" / {total('job, instance', series('pg_settings_max_connections'))})",
            "percentunit",
            CONNECTIONS,
            to="stackctl-postgresql",
        ),
        stat(
            Words(
                "Pool in use",
                "Share of its connections that requests hold, in the worker whose pool is the fullest.",
                "Look for slow statements first; a larger pool only moves the queue into the database.",
            ),
            f"max({series('app_db_pool_fullest_ratio')})",
            "percentunit",
            POOL,
            to="stackctl-pools",
        ),
        stat(
            Words(
                "Database CPU",
                "CPU that the database takes, as a share of what it may.",
                "See which statements take it, then give it more with `--cpus`.",
            ),
            f"max({rate('stackctl_database_cpu_seconds_total')} / {series('stackctl_database_cpu_limit')})",
            "percentunit",
            CPU,
            to="stackctl-host",
        ),
        stat(
            Words(
                "Database memory",
                "Working set as a share of the limit. Near it the kernel ends a session, and with it all.",
                "See the memory proof on Host and containers.",
            ),
            f"max({series('stackctl_database_memory_bytes')} / {series('stackctl_database_memory_limit_bytes')})",
            "percentunit",
            MEMORY,
            to="stackctl-host",
        ),
        stat(
            Words(
                "Free disk",
                "What is free of the fuller disk, of data or of backups.",
                "See what grows; with a full disk `stackctl ballast free` makes room to start.",
            ),
            f"min({series('stackctl_disk_free_bytes')} / {series('stackctl_disk_size_bytes')})",
            "percentunit",
            DISK,
            to="stackctl-host",
        ),
        stat(
            Words(
                "Settings not as rendered",
                "Parameters whose running value is not the rendered one, and those that wait for a restart.",
                "`stackctl plan` names them and the line that takes each back.",
            ),
            f"sum({series('stackctl_settings_drift')}) + sum({series('stackctl_settings_pending_restart')})",
            "none",
            ANY,
            to="stackctl-postgresql",
        ),
    ),
)
WORK = Line(
    4,
    (
        newest_backup(to="stackctl-wal"),
        last_trial(to="stackctl-wal"),
        stat(
            Words(
                "WAL to archive",
                "Segments of 16 MiB that wait for the archive; they fill the database's disk when they stay.",
                "`stackctl wal status` says what hinders the archive.",
            ),
            f"max({series('stackctl_archive_waiting_files')})",
            "none",
            WAL_WAITING,
            to="stackctl-wal",
        ),
        stat(
            Words(
                "Cache hit",
                "Blocks found in shared_buffers, shown from 100 blocks a second on: below, it is noise.",
                "Look for tables that are read whole; more memory helps when there are none.",
            ),
            ratio(_HITS, f"({_HITS} + {_READS})", "100"),
            "percentunit",
            CACHE,
            idle=database_is("no load"),
            to="stackctl-postgresql",
        ),
        stat(
            Words(
                "Request time, p95",
                "Nineteen of twenty requests are answered within this time.",
                "See which endpoint is slow, and whether it waits for a connection or for the database.",
            ),
            quantile("0.95", "", "http_request_duration_seconds"),
            "s",
            LATENCY,
            idle=app_is("no requests"),
            to="stackctl-app",
        ),
        stat(
            Words(
                "Failed requests",
                "Share of requests that the app answered with an error of its own (5xx).",
                "`stackctl logs app`; 503 means that no connection was free.",
            ),
            ratio(f"({or_zero(_ERRORS, rate('http_requests_total'))})", _REQUESTS),
            "percentunit",
            FAILED,
            idle=app_is("no requests"),
            to="stackctl-app",
        ),
    ),
)
