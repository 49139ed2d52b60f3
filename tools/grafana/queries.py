"""Queries: which statements take the server's time, by pg_stat_statements."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import DISK_TIME, MEAN_STATEMENT, STATEMENT
from grafana.panels import Column, Line, Query, Words, stat, table, timeseries
from grafana.promql import DATABASE, WHOLE, busiest, database_is, grown, rate, ratio, series, total

_BY = "datname, user, queryid"
_LEGEND = "{{queryid}} {{user}}@{{datname}}"
_SHOWN = 10
_LISTED = 25
_TEXT = (
    "Its text is not a metric, as it may tell of people: `SELECT query FROM pg_stat_statements WHERE queryid = ...`."
)


def _of(name: str) -> str:
    return f"pg_stat_statements_{name}_total"


def _gained(name: str) -> str:
    return total(_BY, grown(_of(name), DATABASE, window=WHOLE))


def _second(name: str) -> str:
    return total(_BY, rate(_of(name), DATABASE))


# Chosen at the end of the picture, so that its lines are the same at each point.
_MOST = total(_BY, f"increase({series(_of('seconds'), DATABASE)}[{WHOLE}] @ end())")


def _listed(expression: str) -> str:
    return busiest(_LISTED, _BY, expression, _gained("seconds"))


_SUMS = Line(
    4,
    (
        stat(
            Words(
                "Time in statements",
                "Seconds of statements per second: how many sessions are at work at the same time, on average.",
                "Above the number of CPUs they wait for each other: shorten the first of the list.",
            ),
            total("", rate(_of("seconds"), DATABASE)),
            "none",
        ),
        stat(
            Words("Calls", "Statements per second.", "A jump without more requests is a loop in the app."),
            total("", rate(_of("calls"), DATABASE)),
            "cps",
        ),
        stat(
            Words(
                "Mean time",
                "Time of a statement on average.",
                "It hides the slow ones: the list below has the mean of each.",
            ),
            ratio(total("", rate(_of("seconds"), DATABASE)), total("", rate(_of("calls"), DATABASE))),
            "s",
            MEAN_STATEMENT,
            idle=database_is("no calls"),
        ),
        stat(
            Words(
                "Waiting for the disk",
                "Share of the statements' time that reading and writing blocks took. It needs track_io_timing.",
                "High: the data does not fit in memory, or an index is missing.",
            ),
            ratio(
                f"({total('', rate(_of('block_read_seconds'), DATABASE))}"
                f" + {total('', rate(_of('block_write_seconds'), DATABASE))})",
                total("", rate(_of("seconds"), DATABASE)),
            ),
            "percentunit",
            DISK_TIME,
            idle=database_is("no calls"),
        ),
        stat(
            Words(
                "Statements seen",
                "How many the exporter reports: the 100 with the most time. Others are not in any panel here.",
                "Nothing here: pg_stat_statements is not loaded, see `stackctl health`.",
            ),
            f"count({rate(_of('calls'), DATABASE)})",
            "none",
        ),
    ),
    (5, 5, 5, 5, 4),
)
_PICTURES = Line(
    9,
    (
        timeseries(
            Words(
                "Time per second, the ten that take most",
                "Seconds that each statement takes of every second.",
                f"The top one is where work on speed pays. {_TEXT}",
            ),
            [Query(busiest(_SHOWN, _BY, _second("seconds"), _MOST), _LEGEND)],
            "s",
            stacked=True,
        ),
        timeseries(
            Words(
                "Mean time, the same ten",
                "Time of one call on average.",
                f"It rises and the calls do not: its plan or its data changed; EXPLAIN (ANALYZE, BUFFERS). {_TEXT}",
            ),
            [Query(busiest(_SHOWN, _BY, f"({ratio(_second('seconds'), _second('calls'))})", _MOST), _LEGEND)],
            "s",
            STATEMENT,
        ),
        timeseries(
            Words(
                "Calls per second, the same ten",
                "How often each is run.",
                "Many calls of a short one: fetch in one statement what a loop fetches in many.",
            ),
            [Query(busiest(_SHOWN, _BY, _second("calls"), _MOST), _LEGEND)],
            "cps",
        ),
    ),
)
_LIST = Line(
    12,
    (
        table(
            Words(
                "Statements by time",
                "The 25 that took most in the chosen time. What one did before it was first seen is missing.",
                f"Start at the top. {_TEXT}",
            ),
            {"queryid": "Query", "user": "Role", "datname": "Database"},
            [
                Column("Time", _listed(_gained("seconds")), "s"),
                Column(
                    "Share",
                    _listed(f"({_gained('seconds')} / on () group_left () (sum({_gained('seconds')}) > 0))"),
                    "percentunit",
                ),
                Column("Calls", _listed(_gained("calls")), "short"),
                Column(
                    "Mean",
                    _listed(f"({ratio(_gained('seconds'), _gained('calls'))})"),
                    "s",
                    STATEMENT,
                ),
                Column("Rows per call", _listed(f"({ratio(_gained('rows'), _gained('calls'))})"), "short"),
                Column("Reading", _listed(_gained("block_read_seconds")), "s"),
                Column("Writing", _listed(_gained("block_write_seconds")), "s"),
            ],
            "Time",
        ),
    ),
)

QUERIES = Board(
    name="queries",
    title="Queries",
    description="Which statements take the server's time.",
    jobs="postgres",
    databases=True,
    sections=(
        Section("", (_SUMS,)),
        Section("The ten that take most", (_PICTURES,)),
        Section("List", (_LIST,)),
    ),
)
