"""Connection pools: whether requests wait for a connection, and whether more would help."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ANY, POOL, POOL_WAIT, POOLS_OF_SERVER, RARE, RARE_IS_BAD, SECOND
from grafana.panels import Line, Query, Words, stat, timeseries
from grafana.promql import DATABASE, app_is, grown, quantile, rate, series, total

_POOL = "app_db_pool_"
_WAIT = f"{_POOL}wait_seconds"
_LIMIT = f"(sum({series(_POOL + 'size')}) + sum({series(_POOL + 'max_overflow')}))"

_STATE = Line(
    4,
    (
        stat(
            Words(
                "In use",
                "Share of its connections that requests hold, in the worker whose pool is the fullest.",
                "Shorten what holds them: see Queries. A larger pool only moves the queue into the database.",
            ),
            f"max({series(_POOL + 'fullest_ratio')})",
            "percentunit",
            POOL,
        ),
        stat(
            Words(
                "Wait for a connection, p95",
                "Nineteen of twenty requests had one within this time.",
                "More than some milliseconds: the pool is too small for the time that requests hold one.",
            ),
            quantile("0.95", "", _WAIT),
            "s",
            POOL_WAIT,
            idle=app_is("no requests"),
        ),
        stat(
            Words(
                "Refused",
                "Requests per second that got no connection in time; the app answers 503.",
                "The app sheds load that the database cannot take. Find what holds connections.",
            ),
            total("", rate(_POOL + "timeouts_total")),
            "reqps",
            RARE_IS_BAD,
        ),
        stat(
            Words(
                "Broken connections",
                "Connections per second that did not open, or broke.",
                "`stackctl logs app`: a restart of the database, max_connections, or a wrong password.",
            ),
            total("", rate("app_db_connection_errors_total")),
            "cps",
            RARE,
        ),
        stat(
            Words(
                "Pools against the server",
                "What all pools may open, as a share of max_connections. Above 1 they can lock everybody else out.",
                "`stackctl plan` sizes both; a pooler (`--pooler pgbouncer`) stands between.",
            ),
            f"max({series('stackctl_pool_limit')}) / on () max({series('pg_settings_max_connections')})",
            "percentunit",
            POOLS_OF_SERVER,
        ),
    ),
    (5, 5, 5, 5, 4),
)
_PICTURES = (
    Line(
        9,
        (
            timeseries(
                Words(
                    "Connections of the pools",
                    "Of all workers together: in use, open but idle, above their size, and the most they may open.",
                    "In use at the limit: requests wait. Idle near it for long: the pools are larger than needed.",
                ),
                [
                    Query(f"sum({series(_POOL + 'checked_out')})", "in use"),
                    Query(f"sum({series(_POOL + 'idle')})", "idle"),
                    Query(f"sum({series(_POOL + 'overflow')})", "above size"),
                    Query(f"sum({series(_POOL + 'size')})", "size"),
                    Query(_LIMIT, "limit"),
                ],
                "none",
            ),
            timeseries(
                Words(
                    "Wait for a connection",
                    "How long requests waited for a connection.",
                    "Compare with Time in the database: waiting longer than working means too few connections.",
                ),
                [Query(quantile(q, "", _WAIT), f"p{q[2:]}") for q in ("0.50", "0.95", "0.99")],
                "s",
                POOL_WAIT,
            ),
        ),
    ),
    Line(
        8,
        (
            timeseries(
                Words(
                    "Time in the database",
                    "Time of one unit of work, from a connection in hand to its commit.",
                    "It rises: see Queries. It does not, and requests are slow: look at the wait beside it.",
                ),
                [
                    Query(quantile(q, "", "app_db_query_duration_seconds"), f"p{q[2:]}")
                    for q in ("0.50", "0.95", "0.99")
                ],
                "s",
                SECOND,
            ),
            timeseries(
                Words(
                    "Refused and broken",
                    "Requests refused, connections that failed or were found dead, in the window before each point.",
                    "After a restart of the database some are right. Without one: `stackctl logs app`.",
                ),
                [
                    Query(total("", grown(_POOL + "timeouts_total")), "refused"),
                    Query(total("", grown("app_db_connection_errors_total")), "failed"),
                    Query(total("", grown(_POOL + "invalidations_total")), "found dead"),
                ],
                "none",
                ANY,
            ),
            timeseries(
                Words(
                    "The server's sessions by role",
                    "Sessions in the chosen databases: through PgBouncer there are fewer than the pools have.",
                    "A role that is not expected here: see pg_hba.conf, and who has its password.",
                ),
                [Query(total("usename", series("pg_stat_activity_count", DATABASE, 'usename!=""')), "{{usename}}")],
                "none",
                stacked=True,
            ),
        ),
    ),
)

POOLS = Board(
    name="pools",
    title="Connection pools",
    description="Whether requests wait for a connection, and whether more of them would help.",
    jobs="app|postgres|stackctl",
    databases=True,
    sections=(Section("", (_STATE,)), Section("Pools", _PICTURES)),
)
