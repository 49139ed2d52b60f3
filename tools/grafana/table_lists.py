"""Tables and indexes as lists: most dead rows, and the largest."""

from __future__ import annotations

from grafana.marks import BLOAT, DEAD, INDEX_BLOAT
from grafana.panels import Column, Line, Words, table
from grafana.promql import DATABASE, busiest, ratio, series

# Autovacuum never comes to them, they end with their session, and each session's have a schema of their own.
_LASTING = 'schemaname!~"pg_temp_.*"'
BY = "datname, schemaname, relname"
_INDEX = f"{BY}, indexrelname"
_LISTED = 25
_NAMES = {"relname": "Table", "schemaname": "Schema", "datname": "Database"}


def of_tables(name: str) -> str:
    """The series of one of postgres_exporter's metrics of tables, without temporary ones."""
    return series(f"pg_stat_user_tables_{name}", DATABASE, _LASTING)


def each_table(name: str) -> str:
    """The same, with nothing but the table's name."""
    return f"max by ({BY}) ({of_tables(name)})"


_DEAD, _LIVE = each_table("n_dead_tup"), each_table("n_live_tup")


def _since(auto: str, manual: str) -> str:
    """Seconds since the later of two moments; nothing where neither ever was, which is written as 0."""
    a, m = each_table(auto), each_table(manual)
    return f"time() - (({a} >= {m} or {m}) > 0)"


def _dead_first(expression: str) -> str:
    return busiest(_LISTED, BY, f"({expression})", _DEAD)


def _largest(expression: str) -> str:
    return busiest(_LISTED, BY, f"({expression})", f"max by ({BY}) ({series('stackctl_table_size_bytes', DATABASE)})")


def _largest_index(name: str) -> str:
    size = f"max by ({_INDEX}) ({series('stackctl_index_size_bytes', DATABASE)})"
    return busiest(_LISTED, _INDEX, f"max by ({_INDEX}) ({series(f'stackctl_index_{name}', DATABASE)})", size)


LISTS = (
    Line(
        10,
        (
            table(
                Words(
                    "Tables with most dead rows",
                    "The 25 first. Counts are the server's estimates.",
                    "Dead above a fifth of a large table and no vacuum for an hour: `VACUUM (VERBOSE)` says why.",
                ),
                _NAMES,
                [
                    Column("Dead", _dead_first(_DEAD), "short"),
                    Column("Live", _dead_first(_LIVE), "short"),
                    Column(
                        "Share dead",
                        _dead_first(ratio(_DEAD, f"({_DEAD} + {_LIVE})")),
                        "percentunit",
                        DEAD,
                    ),
                    Column("Since vacuum", _dead_first(_since("last_autovacuum", "last_vacuum")), "s", absent="never"),
                    Column(
                        "Since analyze", _dead_first(_since("last_autoanalyze", "last_analyze")), "s", absent="never"
                    ),
                ],
                "Dead",
            ),
        ),
    ),
    Line(
        10,
        (
            table(
                Words(
                    "Largest tables",
                    "The 25 largest, with an estimate of what a rewrite would give back.",
                    "Above a fifth of a large table: pg_repack, or VACUUM FULL in a quiet hour, as it locks the table.",
                ),
                _NAMES,
                [
                    Column(
                        "Size", _largest(f"max by ({BY}) ({series('stackctl_table_size_bytes', DATABASE)})"), "bytes"
                    ),
                    Column(
                        "Bloat", _largest(f"max by ({BY}) ({series('stackctl_table_bloat_bytes', DATABASE)})"), "bytes"
                    ),
                    Column(
                        "Share bloat",
                        _largest(f"max by ({BY}) ({series('stackctl_table_bloat_ratio', DATABASE)})"),
                        "percentunit",
                        BLOAT,
                    ),
                ],
                "Size",
            ),
            table(
                Words(
                    "Largest indexes",
                    "The 25 largest, with an estimate of what a rewrite would give back.",
                    "Above a third: REINDEX INDEX CONCURRENTLY, which needs room for a second one.",
                ),
                {"indexrelname": "Index", **_NAMES},
                [
                    Column("Size", _largest_index("size_bytes"), "bytes"),
                    Column("Bloat", _largest_index("bloat_bytes"), "bytes"),
                    Column("Share bloat", _largest_index("bloat_ratio"), "percentunit", INDEX_BLOAT),
                ],
                "Size",
            ),
        ),
    ),
)
