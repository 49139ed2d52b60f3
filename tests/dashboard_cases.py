"""What panels say in situations in which they could lie, for promtool to judge: numbers worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grafana_variables import everything, queries, substituted
from stackctl import assets

Json = dict[str, Any]
PG = 'job="postgres", instance="exporter:9187"'
APP = 'job="app", instance="app:4445"'
CONTROL = 'job="stackctl", instance="stackctl:9188"'
PROMETHEUS = 'job="prometheus", instance="prometheus:9090"'
# Not on a scrape: then Prometheus 2 and 3, which differ in what an interval's edge belongs to, see the same points.
AT = "4m55s"


def expression(board: str, panel: str, ref: str = "A") -> str:
    """What Grafana would ask for a panel, over five minutes with a point each 15 s."""
    dashboard = json.loads((assets.root() / "dashboards" / f"{board}.json").read_text())
    (found,) = [q for q in queries(dashboard) if q.panel == panel and q.target["refId"] == ref]
    values = everything(dashboard, {"database": ["app"]})
    return substituted(found.target, values, seconds=300, step=15)


def series(metric: str, labels: str, values: str) -> Json:
    return {"series": f"{metric}{{{labels}}}", "values": values}


def case(name: str, given: Sequence[Json], expr: str, expected: Mapping[str, float]) -> Json:
    """One situation; `expected` maps the labels of each sample to its value."""
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    test = {"expr": expr, "eval_time": AT, "exp_samples": samples}
    return {"name": name, "interval": "15s", "input_series": list(given), "promql_expr_test": [test]}


_DATABASE = expression("overview", "Database")
_CRITICAL = expression("overview", "Critical alerts")
_HIT = expression("overview", "Cache hit")
_P95 = expression("overview", "Request time, p95")
_FAILED = expression("overview", "Failed requests")
_COMMITS = expression("postgresql", "Transactions")
_SINCE = expression("tables", "Tables with most dead rows", "D")
_DEAD = expression("tables", "Tables with most dead rows")
_NEEDS = expression("tables", "Tables to vacuum")
_CHECKPOINTS = expression("wal", "Checkpoints", "B")
_WATCHERS = expression("overview", "Watchers that fail")
_BACKUP = expression("wal", "Newest backup")
_PG_UP = series("pg_up", PG, "1x20")
_APP_UP = series("up", APP, "1x20")
_RULES = series("prometheus_rule_group_rules", PROMETHEUS, "3x20")
_TABLE = f'{PG}, datname="app", schemaname="public"'
_TEMPORARY = f'{PG}, datname="app", schemaname="pg_temp_7"'


def _buckets(values: str) -> list[Json]:
    return [
        series("http_request_duration_seconds_bucket", f'{APP}, method="GET", route="/tools", le="{le}"', values)
        for le in ("0.1", "0.5", "+Inf")
    ]


def _blocks(hit: str, read: str) -> list[Json]:
    database = f'{PG}, datname="app", datid="1"'
    return [
        series("pg_stat_database_blks_hit", database, hit),
        series("pg_stat_database_blks_read", database, read),
    ]


def _tables(count: int, table: str = _TABLE) -> list[Json]:
    return [
        series("pg_stat_user_tables_n_dead_tup", f'{table}, relname="t{number}"', f"{number}x20")
        for number in range(count)
    ]


def _autovacuum(dead: int, table: str = _TABLE) -> list[Json]:
    table = f'{table}, relname="t"'
    return [
        series("pg_stat_user_tables_n_dead_tup", table, f"{dead}x20"),
        series("pg_stat_user_tables_n_live_tup", table, "1000x20"),
        # Exporter 0.17 has a label more here than there.
        series("pg_settings_autovacuum_vacuum_scale_factor", f'{PG}, server="postgres:5432"', "0.2x20"),
        series("pg_settings_autovacuum_vacuum_threshold", f'{PG}, server="postgres:5432"', "50x20"),
    ]


def _vacuumed(auto: str, manual: str) -> list[Json]:
    table = f'{_TABLE}, relname="t"'
    return [
        series("pg_stat_user_tables_n_dead_tup", table, "5x20"),
        series("pg_stat_user_tables_last_autovacuum", table, auto),
        series("pg_stat_user_tables_last_vacuum", table, manual),
    ]


CASES = [
    case(
        "a server that answers",
        [series("pg_up", PG, "1x20"), series("up", PG, "1x20")],
        _DATABASE,
        {"{}": 1},
    ),
    case(
        "a server that refuses the exporter is down",
        [series("pg_up", PG, "0x20"), series("up", PG, "1x20")],
        _DATABASE,
        {"{}": 0},
    ),
    case(
        "without its exporter the database is not watched, whatever it said before",
        [series("pg_up", PG, "1x4 stale"), series("up", PG, "1x4 0x20")],
        _DATABASE,
        {"{}": -1},
    ),
    case(
        "a collector that fails is a watcher that fails, beside a service that is gone",
        [
            series("up", PG, "1x20"),
            series("up", APP, "0x20"),
            series("pg_scrape_collector_success", f'{PG}, collector="locks"', "1x20"),
            series("stackctl_collector_success", f'{CONTROL}, collector="tables"', "0x20"),
        ],
        _WATCHERS,
        {"{}": 2},
    ),
    case("nobody fails", [series("up", PG, "1x20")], _WATCHERS, {"{}": 0}),
    case("no rules are no peace", [series("up", PROMETHEUS, "1x20")], _CRITICAL, {}),
    case("no alert fires", [_RULES], _CRITICAL, {"{}": 0}),
    case(
        "an alert on a sum, without job and instance, is counted, one that waits is not",
        [
            _RULES,
            series("ALERTS", 'alertname="A", alertstate="firing", severity="critical"', "1x20"),
            series("ALERTS", 'alertname="B", alertstate="pending", severity="critical"', "1x20"),
            series("ALERTS", 'alertname="C", alertstate="firing", severity="warning"', "1x20"),
        ],
        _CRITICAL,
        {"{}": 1},
    ),
    # -1 is shown as "no load", "no requests", "none yet"; nothing at all as "no data".
    case("an idle server has no cache hit ratio, not NaN", [_PG_UP, *_blocks("7x20", "3x20")], _HIT, {"{}": -1}),
    # 10 and 10 blocks in 15 s are less than the 100 a second from which on it means something.
    case("a nearly idle server has none either", [_PG_UP, *_blocks("0+10x20", "0+10x20")], _HIT, {"{}": -1}),
    # 2,700 of 3,000 blocks in 15 s.
    case("a server under load has", [_PG_UP, *_blocks("0+2700x20", "0+300x20")], _HIT, {"{}": 0.9}),
    case("a server that is down is not idle", [series("pg_up", PG, "0x20")], _HIT, {}),
    case("without requests there is no time of requests, not NaN", [_APP_UP, *_buckets("9x20")], _P95, {"{}": -1}),
    # All within the first bucket of 0 to 0.1 s: its 95 hundredths.
    case("with requests there is", [_APP_UP, *_buckets("0+30x20")], _P95, {"{}": 0.095}),
    case("an app that is down is not idle", [series("up", APP, "0x20")], _P95, {}),
    case(
        "no requests, no share of failed ones",
        [_APP_UP, series("http_requests_total", APP, "5x20")],
        _FAILED,
        {"{}": -1},
    ),
    case("no backup yet", [series("stackctl_look_timestamp_seconds", CONTROL, "1x20")], _BACKUP, {"{}": -1}),
    case("nobody who would know of a backup", [series("up", CONTROL, "0x20")], _BACKUP, {}),
    case(
        "a dump is no backup to go back to",
        [
            series("stackctl_look_timestamp_seconds", CONTROL, "1x20"),
            series("stackctl_backup_timestamp_seconds", f'{CONTROL}, kind="full"', "100x20"),
            series("stackctl_backup_timestamp_seconds", f'{CONTROL}, kind="logical"', "200x20"),
        ],
        _BACKUP,
        {"{}": 195},
    ),
    case(
        "no failed request is zero, although no series of any was ever there",
        [_APP_UP, series("http_requests_total", f'{APP}, code="200"', "0+30x20")],
        _FAILED,
        {"{}": 0},
    ),
    # The last minute has 2400, 2550, 0 and 150: it gained 150, nothing at the reset, and 150. That is 300 in the 45 s
    # between them, so 400 in the minute.
    case(
        "a restart's reset is no fall and no jump",
        [series("pg_stat_database_xact_commit", f'{PG}, datname="app", datid="1"', "0+150x17 0+150x4")],
        f"round({_COMMITS}, 0.01)",
        {'{datname="app"}': 6.67},
    ),
    # promtool has room for no more.
    case("of four thousand tables 25 are listed", _tables(4000), f"count({_DEAD})", {"{}": 25}),
    case("and these are those with most", _tables(4000), f"min({_DEAD})", {"{}": 3975}),
    # 50 + 0.2 * 1000 = 250 may be dead.
    case("a table at its threshold needs no vacuum", _autovacuum(250), _NEEDS, {"{}": 0}),
    case("a table above it does", _autovacuum(251), _NEEDS, {"{}": 1}),
    case("a temporary one does not, as autovacuum never comes", _autovacuum(251, _TEMPORARY), _NEEDS, {}),
    case("and it is in no list", _tables(3, _TEMPORARY), _DEAD, {}),
    case("a table that was never vacuumed has no age of 1970", _vacuumed("0x20", "0x20"), _SINCE, {}),
    # 295 s after the start of the test's time.
    case(
        "the later of both kinds counts",
        _vacuumed("100x20", "200x20"),
        _SINCE,
        {'{datname="app", schemaname="public", relname="t"}': 95},
    ),
    case(
        "a vacuum of one kind only counts",
        _vacuumed("100x20", "0x20"),
        _SINCE,
        {'{datname="app", schemaname="public", relname="t"}': 195},
    ),
    *(
        case(f"checkpoints of PostgreSQL {version}", [series(name, PG, "0+1x20")], _CHECKPOINTS, {"{}": 4})
        for version, name in (
            ("17 and later", "pg_stat_checkpointer_num_requested_total"),
            ("15 and 16", "pg_stat_bgwriter_checkpoints_req_total"),
        )
    ),
]


def document() -> Json:
    """The cases as a file of promtool."""
    return {"rule_files": [], "evaluation_interval": "15s", "tests": CASES}
