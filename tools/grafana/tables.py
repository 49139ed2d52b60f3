"""Tables and vacuum: what grows, what is dead, and whether autovacuum keeps up."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ALL_WORKERS, DEAD, QUEUE, TRANSACTION, XID
from grafana.panels import Line, Query, Words, stat, timeseries
from grafana.promql import DATABASE, WHOLE, WINDOW, busiest, database_is, grown, or_zero, rate, ratio, series, total
from grafana.table_lists import BY, LISTS, each_table, of_tables

_LEGEND = "{{schemaname}}.{{relname}}"
_SHOWN = 10
# Numbers that a transaction can have before the server refuses to write.
_LAST_XID = 2**31 - 1


def _setting(name: str) -> str:
    return f"on (job, instance) group_left () max by (job, instance) ({series(f'pg_settings_{name}')})"


_DEAD = each_table("n_dead_tup")
_NEEDS = (
    f"{of_tables('n_dead_tup')} > ({of_tables('n_live_tup')} * {_setting('autovacuum_vacuum_scale_factor')}"
    f" + {_setting('autovacuum_vacuum_threshold')})"
)

_WORKERS = or_zero(
    f"sum({series('pg_stat_activity_count', backend_type='autovacuum worker')})", series("pg_stat_activity_count")
)


def _written(form: str, window: str) -> str:
    """Rows written to each table: `form` says what is made of each counter over `window`."""
    counters = (f"{of_tables(f'n_tup_{kind}')}[{window}]" for kind in ("ins", "upd", "del"))
    return " + ".join(total(BY, form.format(counter)) for counter in counters)


_STATE = Line(
    4,
    (
        stat(
            Words(
                "Tables to vacuum",
                "Tables with more dead rows than the server's settings allow before a vacuum. Settings of single "
                "tables are not known here.",
                "Some are normal for a minute; the same ones for an hour are not: see who holds vacuum back.",
            ),
            or_zero(f"count({_NEEDS})", of_tables("n_dead_tup")),
            "none",
            QUEUE,
        ),
        stat(
            Words(
                "Dead rows",
                "Share of all rows that are dead.",
                "See the list below; `VACUUM (VERBOSE)` of a table says why they stay.",
            ),
            ratio(
                f"sum({of_tables('n_dead_tup')})", f"(sum({of_tables('n_dead_tup')}) + sum({of_tables('n_live_tup')}))"
            ),
            "percentunit",
            DEAD,
            idle=database_is("no rows"),
        ),
        stat(
            Words(
                "Oldest transaction",
                "Rows that died after it began stay until it ends.",
                "Longer than an hour: end it, whatever it waits for.",
            ),
            f"max({series('pg_long_running_transactions_oldest_timestamp_seconds')})",
            "s",
            TRANSACTION,
        ),
        stat(
            Words(
                "Vacuum at work",
                "Workers of autovacuum that run now, as a share of those that may.",
                "All of them for long: raise autovacuum_max_workers or autovacuum_vacuum_cost_limit.",
            ),
            f"({_WORKERS}) / max({series('pg_settings_autovacuum_max_workers')})",
            "percentunit",
            ALL_WORKERS,
        ),
        stat(
            Words(
                "Transaction numbers used",
                "Share gone of the way to the point where the server refuses to write. Autovacuum acts at a tenth.",
                "Above a half, vacuum is held back: end old transactions, drop unused slots, then VACUUM (FREEZE).",
            ),
            f"max({series('pg_database_wraparound_age_datfrozenxid_seconds')}) / {_LAST_XID}",
            "percentunit",
            XID,
        ),
    ),
    (5, 5, 5, 5, 4),
)
_VACUUM = Line(
    8,
    (
        timeseries(
            Words(
                "Dead rows, the ten tables with most",
                "Rows that no transaction sees any more and that vacuum has not yet removed.",
                "A saw is right. A line that only rises: autovacuum is off for it, too slow, or held back.",
            ),
            [Query(busiest(_SHOWN, BY, _DEAD, f"max by ({BY}) ({of_tables('n_dead_tup')} @ end())"), _LEGEND)],
            "short",
        ),
        timeseries(
            Words(
                "Runs of vacuum and analyze",
                "How many ended in the window before each point.",
                "None for long while rows change: look at autovacuum's settings with `stackctl plan`.",
            ),
            [
                Query(total("", grown(f"pg_stat_user_tables_{name}_count", DATABASE)), name)
                for name in ("autovacuum", "autoanalyze", "vacuum", "analyze")
            ],
            "none",
        ),
        timeseries(
            Words(
                "Age of transaction numbers",
                "By database, as a share of the way to the point where the server refuses to write.",
                "A line that only rises: see Oldest transaction above, and unused slots on WAL and backups.",
            ),
            [
                Query(
                    f"max by (datname) ({series('pg_database_wraparound_age_datfrozenxid_seconds', DATABASE)})"
                    f" / {_LAST_XID}",
                    "{{datname}}",
                )
            ],
            "percentunit",
            XID,
            most=1,
        ),
    ),
)
_USE = Line(
    8,
    (
        timeseries(
            Words(
                "Rows read without an index, the ten tables with most",
                "Rows per second that sequential scans read.",
                "A large table here lacks an index; a small one is right to be read whole.",
            ),
            [
                Query(
                    busiest(
                        _SHOWN,
                        BY,
                        total(BY, rate("pg_stat_user_tables_seq_tup_read", DATABASE)),
                        total(BY, f"increase({of_tables('seq_tup_read')}[{WHOLE}] @ end())"),
                    ),
                    _LEGEND,
                )
            ],
            "cps",
        ),
        timeseries(
            Words(
                "Rows written, the ten tables with most",
                "Rows per second that were inserted, updated and deleted.",
                "The first ones need autovacuum most, and their indexes cost most.",
            ),
            [
                Query(
                    busiest(
                        _SHOWN,
                        BY,
                        f"({_written('rate({})', WINDOW)})",
                        _written("increase({} @ end())", WHOLE),
                    ),
                    _LEGEND,
                )
            ],
            "cps",
        ),
        timeseries(
            Words(
                "Updates that touched no index",
                "Share of updates that found room in their page (HOT).",
                "Low for a table that is updated a lot: give it a fillfactor of 90, and drop indexes nobody uses.",
            ),
            [
                Query(
                    ratio(
                        total("datname", rate("pg_stat_user_tables_n_tup_hot_upd", DATABASE)),
                        total("datname", rate("pg_stat_user_tables_n_tup_upd", DATABASE)),
                    ),
                    "{{datname}}",
                )
            ],
            "percentunit",
            most=1,
        ),
    ),
)
TABLES = Board(
    name="tables",
    title="Tables and vacuum",
    description="What grows, what is dead, and whether autovacuum keeps up.",
    jobs="postgres|stackctl",
    databases=True,
    sections=(
        Section("", (_STATE,)),
        Section("Vacuum", (_VACUUM,)),
        Section("Use", (_USE,)),
        Section("Lists", LISTS),
    ),
)
