"""Dashboards follow the rules; each rule is seen to find what it is for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dashboard_sense  # noqa: F401 - its rules register themselves
from dashboard_lint import RULES, Finding, lint
from stackctl import assets

Json = dict[str, Any]
FILES = sorted((assets.root() / "dashboards").glob("*.json"))
# rule, dashboard, panel: why it may.
EXCEPTIONS = {
    **{
        (rule, "stackctl-overview", panel): "an alert on a sum has no job and no instance, and must not be hidden"
        for rule in ("target-job-rule", "target-instance-rule")
        for panel in ("Critical alerts", "Other alerts", "Alerts that fire")
    },
    ("target-counter-agg-rule", "stackctl-postgresql", "Broken pages"): "one failure is too many, however long ago",
    ("target-counter-agg-rule", "stackctl-host", "Sessions ended for memory"): "the number itself is the message",
}


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


def named(uid: str) -> Json:
    return next(each for each in map(read, FILES) if each["uid"] == uid)


def panel(dashboard: Json, title: str) -> Json:
    found: Json = next(each for each in dashboard["panels"] if each["title"] == title)
    return found


def excused(dashboard: Json, finding: Finding) -> bool:
    return (finding.rule, dashboard["uid"], finding.panel) in EXCEPTIONS


def test_there_are_eight() -> None:
    assert [path.stem for path in FILES] == [
        "app",
        "host",
        "overview",
        "pools",
        "postgresql",
        "queries",
        "tables",
        "wal",
    ]
    assert [read(path)["uid"] for path in FILES] == [f"stackctl-{path.stem}" for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dashboard_follows_the_rules(path: Path) -> None:
    dashboard = read(path)
    assert [each for each in lint(dashboard) if not excused(dashboard, each)] == []


def test_each_exception_is_needed() -> None:
    found = {(f.rule, d["uid"], f.panel) for d in map(read, FILES) for f in lint(d)}
    assert set(EXCEPTIONS) == found


def _expr(dashboard: Json, title: str, expression: str) -> None:
    panel(dashboard, title)["targets"][0]["expr"] = expression


_J = 'job=~"$job", instance=~"$instance"'
# rule: a change of Tables and vacuum, or of the overview, that it must find.
CANARIES: dict[str, list[Callable[[Json], Any]]] = {
    "template-datasource-rule": [lambda d: d["templating"]["list"].pop(0)],
    "template-job-rule": [
        lambda d: d["templating"]["list"][1].pop("allValue"),
        lambda d: d["templating"]["list"][1].update(multi=False),
        lambda d: d["templating"]["list"][1].update(datasource={"type": "prometheus", "uid": "prometheus"}),
    ],
    "template-instance-rule": [lambda d: d["templating"]["list"][2].update(name="server")],
    "template-label-promql-rule": [
        lambda d: d["templating"]["list"][1]["query"].update(query="label_values(up{, job)"),
        lambda d: d["templating"]["list"][1]["query"].update(query="up"),
    ],
    "template-on-time-change-reload-rule": [lambda d: d["templating"]["list"][2].update(refresh=1)],
    "uneditable-dashboard-rule": [lambda d: d.update(editable=True), lambda d: d.pop("editable")],
    "panel-datasource-rule": [
        lambda d: panel(d, "Dead rows").update(datasource={"type": "prometheus", "uid": "prometheus"}),
        lambda d: panel(d, "Dead rows")["targets"][0].pop("datasource"),
    ],
    "panel-title-description-rule": [
        lambda d: panel(d, "Dead rows").update(description=""),
        lambda d: panel(d, "Dead rows").update(title="Tables to vacuum"),
    ],
    "panel-units-rule": [
        lambda d: panel(d, "Dead rows")["fieldConfig"]["defaults"].update(unit="percentage"),
        lambda d: panel(d, "Largest tables")["fieldConfig"]["overrides"][0]["properties"][0].update(value="Bytes"),
    ],
    "panel-no-targets-rule": [lambda d: panel(d, "Dead rows").update(targets=[])],
    "target-promql-rule": [lambda d: _expr(d, "Dead rows", f"sum(up{{{_J}}}")],
    "target-rate-interval-rule": [
        lambda d: _expr(d, "Dead rows", f"sum(rate(http_requests_total{{{_J}}}[5m]))"),
        lambda d: _expr(d, "Dead rows", f"sum(rate(http_requests_total{{{_J}}}[$__range]))"),
        lambda d: _expr(d, "Dead rows", f"sum(increase(http_requests_total{{{_J}}}[1h]))"),
    ],
    "target-job-rule": [
        lambda d: _expr(d, "Dead rows", 'max(up{instance=~"$instance"})'),
        lambda d: _expr(d, "Dead rows", 'max(up{job="$job", instance=~"$instance"})'),
        lambda d: _expr(d, "Dead rows", f"max(up{{{_J}}}) + max(pg_up)"),
    ],
    "target-instance-rule": [lambda d: _expr(d, "Dead rows", 'max(up{job=~"$job"})')],
    "target-counter-agg-rule": [
        lambda d: _expr(d, "Dead rows", f"sum(http_requests_total{{{_J}}})"),
        lambda d: _expr(d, "Dead rows", f"sum(pg_stat_database_xact_commit{{{_J}}})"),
        lambda d: _expr(d, "Dead rows", f"sum(avg_over_time(pg_stat_archiver_failed_count{{{_J}}}[$__rate_interval]))"),
        lambda d: _expr(d, "Dead rows", f"sum(rate(pg_stat_user_tables_n_dead_tup{{{_J}}}[$__rate_interval]))"),
    ],
    "what is now is asked for now": [
        lambda d: panel(d, "Dead rows")["targets"][0].update(instant=False, range=True),
        lambda d: panel(d, "Largest tables")["targets"][0].update(format="time_series"),
    ],
    "a division has something to divide by": [
        lambda d: _expr(d, "Dead rows", f"sum(up{{{_J}}}) / sum(pg_up{{{_J}}})"),
        lambda d: _expr(
            d, "Dead rows", f"histogram_quantile(0.9, sum by (le) (rate(x_bucket{{{_J}}}[$__rate_interval])))"
        ),
    ],
    "lines have names": [
        lambda d: panel(d, "Runs of vacuum and analyze")["targets"][0].update(legendFormat=""),
        lambda d: panel(d, "Runs of vacuum and analyze")["targets"][0].update(legendFormat="{{relname}}"),
        lambda d: panel(d, "Runs of vacuum and analyze")["targets"][0].update(legendFormat="vacuum"),
    ],
    "nothing that a client writes becomes a label": [
        lambda d: _expr(d, "Dead rows", f"sum by (application_name) (pg_stat_activity_count{{{_J}}})"),
        lambda d: panel(d, "Dead rows")["targets"][0].update(legendFormat="{{query}}"),
    ],
    "ten thousand tables are not ten thousand lines": [
        lambda d: _expr(d, "Dead rows", f"sum by (relname) (pg_stat_user_tables_n_dead_tup{{{_J}}})"),
        lambda d: _expr(d, "Dead rows", f"topk(500, sum by (relname) (pg_stat_user_tables_n_dead_tup{{{_J}}}))"),
        lambda d: _expr(
            d,
            "Runs of vacuum and analyze",
            f"topk(5, sum by (relname) (pg_stat_user_tables_n_dead_tup{{{_J}}}))",
        ),
    ],
    "colours have words": [
        lambda d: panel(d, "Dead rows").update(description="Rows that nobody sees any more. Vacuum them."),
        lambda d: panel(d, "Largest tables").update(description="The largest first. Make them smaller."),
        lambda d: panel(d, "Dead rows")["fieldConfig"]["defaults"]["mappings"].append(
            {"type": "value", "options": {"1": {"color": "red"}}}
        ),
    ],
    "no data is not green": [lambda d: panel(d, "Dead rows")["fieldConfig"]["defaults"].update(mappings=[])],
    "panels fill the grid and do not cover each other": [
        lambda d: panel(d, "Dead rows")["gridPos"].update(x=0),
        lambda d: panel(d, "Largest tables")["gridPos"].update(x=20),
        lambda d: panel(d, "Largest tables")["gridPos"].update(w=11),
        lambda d: panel(d, "Dead rows").update(id=1),
    ],
    "links lead somewhere": [
        lambda d: d.update(uid="tables"),
        lambda d: d.update(links=[]),
        lambda d: panel(d, "Dead rows").update(links=[{"url": "/d/stackctl-gone?${__url_time_range}"}]),
    ],
}


def test_every_rule_has_a_canary() -> None:
    assert set(CANARIES) == set(RULES)


@pytest.mark.parametrize(("rule", "spoil"), [(name, each) for name, changes in CANARIES.items() for each in changes])
def test_a_rule_finds_what_it_is_for(rule: str, spoil: Callable[[Json], Any]) -> None:
    dashboard = copy.deepcopy(named("stackctl-tables"))
    spoil(dashboard)
    assert rule in {finding.rule for finding in lint(dashboard)}
