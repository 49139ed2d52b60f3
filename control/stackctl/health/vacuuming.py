"""How autovacuum keeps up, as the server tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# When the server would vacuum a table: see "The Autovacuum Daemon" in its manual. Options of the table go first, and
# from PostgreSQL 18 on there is a limit for large ones. Without a run, what counts is how long the counts go back.
# Autovacuum never comes to a temporary table.
VACUUMING = """
SELECT current_setting('autovacuum')::bool AND current_setting('track_counts')::bool AS enabled,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker') AS workers,
       current_setting('autovacuum_max_workers')::int AS most,
       (SELECT json_agg(row_to_json(t)) FROM (
           SELECT schemaname || '.' || relname AS name, dead, round(threshold)::bigint AS threshold, seconds,
                  ever, coalesce(given->>'autovacuum_enabled', 'true')::bool AS enabled
           FROM (
               SELECT s.schemaname, s.relname, s.n_dead_tup AS dead, o.given,
                      coalesce(s.last_vacuum, s.last_autovacuum) IS NOT NULL AS ever,
                      extract(epoch FROM now() - coalesce(greatest(s.last_vacuum, s.last_autovacuum),
                          greatest(pg_postmaster_start_time(), d.stats_reset)))::float AS seconds,
                      least(nullif(coalesce(o.given->>'autovacuum_vacuum_max_threshold',
                                current_setting('autovacuum_vacuum_max_threshold', true))::float, -1),
                            coalesce(o.given->>'autovacuum_vacuum_threshold',
                                current_setting('autovacuum_vacuum_threshold'))::float
                            + coalesce(o.given->>'autovacuum_vacuum_scale_factor',
                                current_setting('autovacuum_vacuum_scale_factor'))::float * greatest(c.reltuples, 0)
                      ) AS threshold
               FROM pg_stat_user_tables s
               JOIN pg_class c ON c.oid = s.relid
               JOIN pg_stat_database d ON d.datname = current_database()
               CROSS JOIN LATERAL (SELECT json_object_agg(option_name, option_value) AS given
                                   FROM pg_options_to_table(c.reloptions)) o
               WHERE c.relpersistence <> 't'
                 AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum p WHERE p.relid = s.relid)
           ) AS tables
           WHERE dead > threshold ORDER BY dead DESC LIMIT 20) AS t) AS tables
"""


@dataclass(frozen=True)
class Overdue:
    """A table with more dead rows than autovacuum waits for, and `seconds` since its last vacuum.

    Where it never had one (`ever`), since the counts began. `enabled` is the table's own setting.
    """

    name: str
    dead: int
    threshold: int
    seconds: float
    ever: bool = True
    enabled: bool = True


@dataclass(frozen=True)
class VacuumUse:
    """Whether autovacuum is on, how many of its workers are busy, of how many, and what waits for them."""

    enabled: bool
    workers: int
    most: int
    overdue: Sequence[Overdue] = ()


def vacuum_use(row: Mapping[str, Any]) -> VacuumUse:
    """The row that VACUUMING gives."""
    tables = [Overdue(**table) for table in row["tables"] or ()]
    return VacuumUse(row["enabled"], row["workers"], row["most"], tables)
