"""What a server counts of its own work, and what of it a slice took."""

from __future__ import annotations

from dataclasses import dataclass, fields

# Counters of sessions that ended are there at once; those of the server's own processes after a second at most.
_BEFORE_17 = "(SELECT checkpoints_timed AS timed, checkpoints_req AS forced, stats_reset FROM pg_stat_bgwriter)"
_SINCE_17 = "(SELECT num_timed AS timed, num_requested AS forced, stats_reset FROM pg_stat_checkpointer)"


def query(major: int) -> str:
    """One row of counters of PostgreSQL `major`."""
    return f"""
SELECT (pg_current_wal_insert_lsn() - '0/0')::float8 AS wal_bytes, d.temp_bytes::float8 AS temp_bytes,
       c.timed::float8 AS checkpoints_timed, c.forced::float8 AS checkpoints_forced,
       t.updates::float8 AS updates, t.hot::float8 AS hot_updates, t.vacuums::float8 AS vacuums,
       pg_database_size(d.datname)::float8 AS database_bytes,
       coalesce(extract(epoch FROM c.stats_reset), 0)::float8 AS began
FROM pg_stat_database d, {_SINCE_17 if major >= 17 else _BEFORE_17} c,
     (SELECT coalesce(sum(n_tup_upd), 0) AS updates, coalesce(sum(n_tup_hot_upd), 0) AS hot,
             coalesce(sum(autovacuum_count), 0) AS vacuums FROM pg_stat_user_tables) t
WHERE d.datname = current_database()
"""  # noqa: S608 - both parts are our own


@dataclass(frozen=True)
class Counters:
    """Bytes of WAL and of temporary files, checkpoints, updates, vacuums, and how much larger the database became.

    `began` is when the server began to count, in seconds since 1970: after a crash it does so anew.
    """

    wal_bytes: float = 0
    temp_bytes: float = 0
    checkpoints_timed: float = 0
    checkpoints_forced: float = 0
    updates: float = 0
    hot_updates: float = 0
    vacuums: float = 0
    database_bytes: float = 0
    began: float = 0

    def since(self, before: Counters) -> Counters:
        """What came between, of a server that counted all the while."""
        between = {each.name: getattr(self, each.name) - getattr(before, each.name) for each in fields(self)}
        # A table that was dropped takes its counts with it; the database may well be smaller then.
        return Counters(**{name: took if name == "database_bytes" else max(0, took) for name, took in between.items()})
