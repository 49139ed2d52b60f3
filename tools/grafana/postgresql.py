"""PostgreSQL: who is connected, what is done, and what goes wrong."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ANY, ANY_IS_BAD, CACHE, CONNECTIONS, IDLE, QUEUE, TRANSACTION
from grafana.panels import Line, Query, Words, stat, timeseries
from grafana.promql import DATABASE, grown, or_zero, rate, ratio, series, total

_ACTIVITY = "pg_stat_activity_count"
_HIT, _READ = (total("datname", rate(f"pg_stat_database_blks_{kind}", DATABASE)) for kind in ("hit", "read"))
_ROWS = {"tup_fetched": "fetched", "tup_inserted": "inserted", "tup_updated": "updated", "tup_deleted": "deleted"}
_IO = "stackctl_io_"

_STATE = Line(
    4,
    (
        stat(
            Words(
                "Connections in use",
                "Share of max_connections that is taken.",
                "See below who holds them; a pooler (`--pooler pgbouncer`) needs fewer.",
            ),
            f"max({total('job, instance', series('pg_stat_database_numbackends'))}"
            f" / {total('job, instance', series('pg_settings_max_connections'))})",
            "percentunit",
            CONNECTIONS,
        ),
        stat(
            Words(
                "Oldest transaction",
                "The longest that any session has been in one transaction. Vacuum cannot remove what it may still see.",
                "pg_stat_activity names the session; end it with pg_terminate_backend.",
            ),
            f"max({series('pg_stat_activity_max_tx_duration')})",
            "s",
            TRANSACTION,
        ),
        stat(
            Words(
                "Sessions that wait for a lock",
                "Sessions stopped until another one ends its transaction.",
                "See Locks below, and pg_blocking_pids in the session of the one that waits.",
            ),
            or_zero(
                f"sum({series(_ACTIVITY, wait_event_type='Lock')})",
                series(_ACTIVITY),
            ),
            "none",
            QUEUE,
        ),
        stat(
            Words(
                "Settings changed",
                "Parameters whose running value is not the rendered one.",
                "`stackctl plan` names them and the line that takes each back.",
            ),
            f"sum({series('stackctl_settings_drift')})",
            "none",
            ANY,
        ),
        stat(
            Words(
                "Settings that wait for a restart",
                "Parameters that were changed and take effect only when PostgreSQL starts again.",
                "`stackctl up` restarts it where it must, and says so first.",
            ),
            f"sum({series('stackctl_settings_pending_restart')})",
            "none",
            ANY,
        ),
        stat(
            Words(
                "Broken pages",
                "Failed checksums since the statistics began, in any database; one is too many, however long ago.",
                "The runbook of ChecksumFailures says how to find what they belong to, and how to get it back.",
            ),
            f"sum({series('stackctl_checksum_failures_total')})",
            "none",
            ANY_IS_BAD,
        ),
    ),
)
_SESSIONS = Line(
    8,
    (
        timeseries(
            Words(
                "Sessions by state",
                "Sessions of the chosen databases. Idle in transaction holds locks and keeps vacuum from its work.",
                "Find the code that begins a transaction and does something else before it ends it.",
            ),
            [Query(total("state", series(_ACTIVITY, DATABASE)), "{{state}}")],
            "none",
            stacked=True,
        ),
        timeseries(
            Words(
                "What sessions wait for",
                "Active sessions by kind of wait: IO is the disk, Lock another transaction, LWLock the server itself.",
                "No line means that nobody waits. Many at IO: look at the disk. Many at Lock: find who holds it.",
            ),
            [
                Query(
                    total("wait_event_type", series(_ACTIVITY, DATABASE, 'state="active"', 'wait_event_type!=""')),
                    "{{wait_event_type}}",
                )
            ],
            "none",
            stacked=True,
        ),
        timeseries(
            Words(
                "Longest transaction by state",
                "How long the oldest transaction in each state has lasted.",
                "Idle in transaction: fix the app. Active: see Queries.",
            ),
            [
                Query(
                    f"max by (state) ({series('pg_stat_activity_max_tx_duration', DATABASE)})",
                    "{{state}}",
                )
            ],
            "s",
            IDLE,
        ),
    ),
)
_THROUGHPUT = Line(
    8,
    (
        timeseries(
            Words(
                "Transactions",
                "Transactions per second that were committed and rolled back.",
                "Many rolled back: `stackctl logs postgres` has the errors.",
            ),
            [
                Query(total("datname", rate(f"pg_stat_database_xact_{end}", DATABASE)), f"{{{{datname}}}} {end}")
                for end in ("commit", "rollback")
            ],
            "cps",
        ),
        timeseries(
            Words(
                "Rows",
                "Rows per second that were found by an index and that were written.",
                "A jump without more requests: see Queries for a statement that is new or lost its index.",
            ),
            [Query(total("", rate(f"pg_stat_database_{name}", DATABASE)), word) for name, word in _ROWS.items()],
            "cps",
        ),
        timeseries(
            Words(
                "Cache hit",
                "Blocks found in shared_buffers. Shown from 100 blocks a second on: below, it is noise.",
                "See Tables for one that is read whole; more memory helps when there is none.",
            ),
            [Query(ratio(_HIT, f"({_HIT} + {_READ})", "100"), "{{datname}}")],
            "percentunit",
            CACHE,
            most=1,
        ),
    ),
)
_TROUBLE = Line(
    8,
    (
        timeseries(
            Words(
                "Deadlocks and conflicts",
                "Transactions that PostgreSQL ended, in the window before each point.",
                "`stackctl logs postgres` has the statements: let all code lock rows in the same order.",
            ),
            [
                Query(total("", grown(f"pg_stat_database_{name}", DATABASE)), name)
                for name in ("deadlocks", "conflicts")
            ],
            "none",
            ANY,
        ),
        timeseries(
            Words(
                "Temporary files",
                "Bytes per second that sorts and joins wrote to disk, since work_mem did not hold them.",
                "Find the statement in Queries; give that role more work_mem, not all.",
            ),
            [Query(total("datname", rate("pg_stat_database_temp_bytes", DATABASE)), "{{datname}}")],
            "Bps",
        ),
        timeseries(
            Words(
                "Locks by mode",
                "Locks held or waited for. accessexclusivelock stops even reading.",
                "During a migration: set lock_timeout, and try again later.",
            ),
            [Query(total("mode", series("pg_locks_count", DATABASE)), "{{mode}}")],
            "none",
        ),
    ),
)
_DISK = Line(
    8,
    (
        timeseries(
            Words(
                "Time in I/O by process",
                "Seconds per second that processes waited for reads, writes and fsync (from PostgreSQL 16 on).",
                "Client backends that write: the background writer and checkpoints do not keep up.",
            ),
            [Query(total("backend_type", rate(f"{_IO}seconds_total")), "{{backend_type}}", slow=True)],
            "s",
        ),
        timeseries(
            Words(
                "I/O by operation",
                "Operations per second, as PostgreSQL asks for them; the kernel may have them in memory "
                "(from PostgreSQL 16 on).",
                "Reads that rise with the same load: the data has outgrown memory.",
            ),
            [Query(total("operation", rate(f"{_IO}operations_total", 'operation!="hit"')), "{{operation}}", slow=True)],
            "iops",
        ),
        timeseries(
            Words(
                "Size of databases",
                "Bytes on disk of each chosen database.",
                "See Tables for what grows.",
            ),
            [Query(f"max by (datname) ({series('pg_database_size_bytes', DATABASE)})", "{{datname}}")],
            "bytes",
        ),
    ),
)

POSTGRESQL = Board(
    name="postgresql",
    title="PostgreSQL",
    description="Who is connected, what is done, and what goes wrong in the server.",
    jobs="postgres|stackctl",
    databases=True,
    sections=(
        Section("", (_STATE,)),
        Section("Sessions", (_SESSIONS,)),
        Section("Throughput", (_THROUGHPUT,)),
        Section("Trouble", (_TROUBLE,)),
        Section("Disk", (_DISK,)),
    ),
)
