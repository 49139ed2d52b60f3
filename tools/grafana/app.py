"""Application: what it answers, how fast, and where the time goes, by endpoint."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ANY, FAILED, LATENCY, MEDIAN, SECOND, STATEMENT
from grafana.panels import Column, Line, Query, Words, stat, table, timeseries
from grafana.promql import WHOLE, app_is, grown, or_zero, quantile, rate, ratio, total

_COUNT = "http_requests_total"
_TIME = "http_request_duration_seconds"
_WORK = "app_db_query_duration_seconds"
_FAILED = 'code=~"5.."'
_BY = "method, route"
_ENDPOINT = "{{method}} {{route}}"
_FAILURES = or_zero(total("", rate(_COUNT, _FAILED)), rate(_COUNT))


def _in_range(*matchers: str) -> str:
    return total(_BY, grown(_COUNT, *matchers, window=WHOLE))


def _route_in_range(by: str) -> str:
    return total(by, grown(f"{_WORK}_sum", window=WHOLE))


_STATE = Line(
    4,
    (
        stat(
            Words("Requests", "Requests per second.", "None at all: does the proxy in front still reach the app?"),
            total("", rate(_COUNT)),
            "reqps",
        ),
        stat(
            Words(
                "Failed",
                "Share of requests that the app answered with an error of its own (5xx).",
                "`stackctl logs app`; the list below says which endpoint.",
            ),
            ratio(f"({_FAILURES})", total("", rate(_COUNT))),
            "percentunit",
            FAILED,
            idle=app_is("no requests"),
        ),
        *(
            stat(
                Words(f"Request time, p{q[2:]}", shows, "The list below says which endpoint."),
                quantile(q, "", _TIME),
                "s",
                marks,
                idle=app_is("no requests"),
            )
            for q, shows, marks in (
                ("0.50", "Half of the requests are answered within this time.", MEDIAN),
                ("0.95", "Nineteen of twenty requests are answered within this time.", LATENCY),
                ("0.99", "All but one of a hundred are answered within this time.", STATEMENT),
            )
        ),
        stat(
            Words(
                "Run again",
                "Units of work per second that were repeated after a deadlock or a serialization failure.",
                "Some are the price of safety; many: let all code lock rows in the same order.",
            ),
            total("", rate("app_db_retries_total")),
            "cps",
            ANY,
        ),
    ),
)
_PICTURES = (
    Line(
        8,
        (
            timeseries(
                Words(
                    "Requests by endpoint",
                    "Requests per second. `unmatched` is everything for which the app has no route.",
                    "A jump of one endpoint: who calls it? unmatched: somebody probes, or a client is old.",
                ),
                [Query(total(_BY, rate(_COUNT)), _ENDPOINT)],
                "reqps",
                stacked=True,
            ),
            timeseries(
                Words(
                    "Answers by code",
                    "4xx is the client's error, 5xx the app's, 499 a client that went away.",
                    "429 and 503 are load that was turned away: look at Connection pools.",
                ),
                [Query(total("code", rate(_COUNT)), "{{code}}")],
                "reqps",
                stacked=True,
            ),
            timeseries(
                Words(
                    "Failed by endpoint",
                    "Share of the requests of an endpoint that failed (5xx); no line where none did.",
                    "`stackctl logs app` has the error with its endpoint.",
                ),
                [Query(ratio(total(_BY, rate(_COUNT, _FAILED)), total(_BY, rate(_COUNT))), _ENDPOINT)],
                "percentunit",
                FAILED,
                most=1,
            ),
        ),
    ),
    Line(
        8,
        (
            timeseries(
                Words(
                    "Request time by endpoint, p95",
                    "Nineteen of twenty requests of each endpoint are answered within this time.",
                    "Compare with its time in the database beside it: what is left is the app, or waiting.",
                ),
                [Query(quantile("0.95", _BY, _TIME), _ENDPOINT)],
                "s",
                SECOND,
            ),
            timeseries(
                Words(
                    "Time in the database by endpoint, p95",
                    "From a connection in hand to the commit.",
                    "See Queries for the statement.",
                ),
                [Query(quantile("0.95", "route", _WORK), "{{route}}")],
                "s",
                SECOND,
            ),
            timeseries(
                Words(
                    "Cached lists",
                    "Requests per second that the cache answered (hit), that ran the query (miss), or that waited for "
                    "another's (wait).",
                    "Few hits: the data changes faster than it is read, so the cache costs more than it gives.",
                ),
                [Query(total("result", rate("app_cache_requests_total")), "{{result}}")],
                "reqps",
                stacked=True,
            ),
        ),
    ),
)
_LIST = Line(
    10,
    (
        table(
            Words(
                "Endpoints",
                "In the chosen time, the busiest first.",
                "Speed up what has much of both: many requests and a high time.",
            ),
            {"method": "Method", "route": "Endpoint"},
            [
                Column("Requests", f"{_in_range()} > 0", "short"),
                Column("p50", quantile("0.50", _BY, _TIME, window=WHOLE), "s"),
                Column("p95", quantile("0.95", _BY, _TIME, window=WHOLE), "s", LATENCY),
                Column("p99", quantile("0.99", _BY, _TIME, window=WHOLE), "s", STATEMENT),
                Column("Failed", ratio(_in_range(_FAILED), _in_range()), "percentunit", FAILED, absent="none"),
                Column("Refused (4xx)", ratio(_in_range('code=~"4.."'), _in_range()), "percentunit", absent="none"),
            ],
            "Requests",
        ),
        table(
            Words(
                "Time in the database",
                "What each endpoint took of the database in the chosen time.",
                "The first ones are where a cache, an index or fewer calls pay.",
            ),
            {"route": "Endpoint"},
            [
                Column("Seconds", f"{_route_in_range('route')} > 0", "s"),
                Column(
                    "Share",
                    f"{_route_in_range('route')} / on () group_left () ({_route_in_range('')} > 0)",
                    "percentunit",
                ),
            ],
            "Seconds",
        ),
    ),
    (15, 9),
)

APP = Board(
    name="app",
    title="Application",
    description="What the application answers, how fast, and where the time goes, by endpoint.",
    jobs="app",
    sections=(Section("", (_STATE,)), Section("Endpoints", (*_PICTURES, _LIST))),
)
