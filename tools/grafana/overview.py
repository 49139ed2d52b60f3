"""Overview: one screen that says whether all is well, and what to do where it is not."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ANY, ANY_IS_BAD, JUST_STARTED, SECOND
from grafana.panels import Column, Line, Query, Words, stat, table, text, timeseries
from grafana.promql import age, or_zero, quantile, rate, series, total
from grafana.room_and_work import ROOM, WORK

# Grafana's own commands are no use here: everything is done on the machine.
_TO_DO = """\
1. A name in the list to the left is an alert that fires. Its page in `docs/runbooks` says what to do.
2. Nothing in the list, but a number is orange or red: its description (the `i` in its corner) says what to do.
3. `stackctl health` asks the stack itself, with evidence; `stackctl logs SERVICE` says what happened.
4. *no data* or *not watched* means that nobody looks, not that all is well: `stackctl status`.
"""
_ALERTS = 'ALERTS{alertstate="firing"'
_RULES = f"(sum({series('prometheus_rule_group_rules')}) > 0)"


_FAILING = " or ".join(
    f"({series(name)} == 0)" for name in ("up", "pg_scrape_collector_success", "stackctl_collector_success")
)


def _alerts(severity: str) -> str:
    # Without rules there is no alert, and no reason to be calm: then this has no value either.
    return f'((count({_ALERTS}, severity=~"{severity}"}}) or vector(0)) and on () {_RULES})'


_SERVICES = Line(
    4,
    (
        stat(
            Words(
                "Database",
                "Whether postgres_exporter can log in to PostgreSQL.",
                "DOWN: `stackctl health`, then `stackctl logs postgres`. Not watched: the exporter is gone, "
                "`stackctl logs exporter`; `stackctl logs observer` has what the control plane sees.",
            ),
            f"min({series('pg_up')}) or (0 * min({series('up', job='postgres')}) - 1)",
            "none",
            says={"1": ("answers", "green"), "0": ("DOWN", "red"), "-1": ("not watched", "orange")},
            to="stackctl-postgresql",
        ),
        stat(
            Words("Application", "Whether the app's metrics can be read.", "DOWN: `stackctl logs app`."),
            f"min({series('up', job='app')})",
            "none",
            says={"1": ("answers", "green"), "0": ("DOWN", "red")},
            to="stackctl-app",
        ),
        stat(
            Words(
                "Watchers that fail",
                "Services that Prometheus cannot read, and collectors without an answer: it is missing, or old.",
                "Host and containers names them; `stackctl logs SERVICE` says why.",
            ),
            or_zero(f"count({_FAILING})", series("up")),
            "none",
            ANY_IS_BAD,
            to="stackctl-host",
        ),
        stat(
            Words(
                "Critical alerts",
                "Alerts that need somebody now.",
                "They are in the list below. Without data, Prometheus has no rules: `stackctl logs prometheus`.",
            ),
            _alerts("critical"),
            "none",
            ANY_IS_BAD,
        ),
        stat(
            Words(
                "Other alerts",
                "Alerts that need somebody today.",
                "They are in the list below.",
            ),
            _alerts("warning|info"),
            "none",
            ANY,
        ),
        stat(
            Words(
                "Database up for",
                "Time since PostgreSQL was started.",
                "A start that nobody asked for: `stackctl logs postgres`, and look for memory that ran out.",
            ),
            age("pg_postmaster_start_time_seconds"),
            "s",
            JUST_STARTED,
            to="stackctl-postgresql",
        ),
    ),
)
_NOW = Line(
    6,
    (
        table(
            Words(
                "Alerts that fire",
                "All of them, from whatever job.",
                "Open the page of that name in `docs/runbooks`.",
            ),
            {"alertname": "Alert", "severity": "Severity"},
            [Column("Series", f"count by (alertname, severity) ({_ALERTS}}})", "none", ANY)],
            "Severity",
            rising=True,
            absent="No alert fires.",
        ),
        text(Words("What to do", "The order in which to look.", "Follow it from the top."), _TO_DO),
    ),
    (14, 10),
)
_SHAPE = Line(
    6,
    (
        timeseries(
            Words(
                "Requests by outcome",
                "Answers per second by status code. 499 is a client that went away.",
                "A fall to nothing is an outage too; compare with the sessions beside it.",
            ),
            [Query(total("code", rate("http_requests_total")), "{{code}}")],
            "reqps",
            stacked=True,
        ),
        timeseries(
            Words("Request time", "Half of the requests, and nineteen of twenty.", "Open Application for endpoints."),
            [Query(quantile(q, "", "http_request_duration_seconds"), f"p{q[2:]}") for q in ("0.50", "0.95")],
            "s",
            SECOND,
        ),
        timeseries(
            Words(
                "Sessions by state",
                "Sessions of the database. Idle in transaction holds locks and keeps vacuum from its work.",
                "Open PostgreSQL for who waits for what.",
            ),
            [Query(total("state", series("pg_stat_activity_count")), "{{state}}")],
            "none",
            stacked=True,
        ),
    ),
)

OVERVIEW = Board(
    name="overview",
    title="Overview",
    description="Is the stack healthy, and what is there to do?",
    jobs="",
    sections=(Section("", (_SERVICES, ROOM, WORK, _NOW, _SHAPE)),),
)
