"""The rules of Grafana's dashboard linter, which is a Go program; each gives a finding for each thing that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from promql_parser import Call, MatrixSelector

from grafana_variables import Json
from promql_tree import (
    RANGE_SECONDS,
    RATE_SECONDS,
    matchers,
    parsed,
    selectors,
    walked,
)

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Those of Grafana's units that we use; a unit that it does not know is shown as a word behind the number.
UNITS = {"none", "short", "percentunit", "bytes", "Bps", "s", "ms", "cps", "reqps", "iops", "bool_yes_no"}
# postgres_exporter calls these counters in its exposition, though not by a name that ends in _total.
COUNTERS = re.compile(
    r"_(total|bucket|sum)$"
    r"|^pg_stat_database_(?!numbackends$|stats_reset$)"
    r"|^pg_stat_user_tables_(seq_|idx_|n_tup_|(auto)?(vacuum|analyze)_count$)"
    r"|^pg_statio_|^pg_stat_archiver_(archived|failed)_count$"
)
GAINED = {"rate", "irate", "increase"}
QUERIED = {"stat", "timeseries", "table"}


@dataclass(frozen=True)
class Finding:
    """What breaks `rule`, in which panel; empty for the dashboard itself."""

    rule: str
    panel: str
    message: str


Rule = Callable[[Json], Iterator[tuple[str, str]]]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule."""

    def keep(check: Rule) -> Rule:
        RULES[name] = check
        return check

    return keep


def lint(dashboard: Json) -> list[Finding]:
    """Everything that breaks a rule."""
    return [Finding(name, panel, message) for name, check in RULES.items() for panel, message in check(dashboard)]


def _variables(dashboard: Json) -> dict[str, Json]:
    return {each["name"]: each for each in dashboard["templating"]["list"]}


def panels(dashboard: Json) -> list[Json]:
    """All but the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def trees(dashboard: Json) -> Iterator[tuple[str, Json, Any]]:
    """Title, query and tree of every query that can be read."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            try:
                yield panel["title"], target, parsed(target["expr"])
            except ValueError:
                continue  # target-promql-rule tells of it


@rule("template-datasource-rule")
def _datasource(dashboard: Json) -> Iterator[tuple[str, str]]:
    found = _variables(dashboard).get("datasource", {})
    if (found.get("type"), found.get("query"), found.get("label")) != ("datasource", "prometheus", "Data source"):
        yield "", "no templated data source"


def _template(dashboard: Json, name: str) -> Iterator[tuple[str, str]]:
    found = _variables(dashboard).get(name, {})
    wanted = {
        "type": "query",
        "datasource": SOURCE,
        "label": name.title(),
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            yield "", f"{name}: {key} is {found.get(key)}"


@rule("template-job-rule")
def _job(dashboard: Json) -> Iterator[tuple[str, str]]:
    yield from _template(dashboard, "job")


@rule("template-instance-rule")
def _instance(dashboard: Json) -> Iterator[tuple[str, str]]:
    yield from _template(dashboard, "instance")


@rule("template-label-promql-rule")
def _label_values(dashboard: Json) -> Iterator[tuple[str, str]]:
    for name, variable in _variables(dashboard).items():
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            try:
                if not found or not list(selectors(parsed(found[1]))):
                    yield "", f"{name}: no label_values of a selector"
            except ValueError as error:
                yield "", f"{name}: {error}"


@rule("template-on-time-change-reload-rule")
def _reload(dashboard: Json) -> Iterator[tuple[str, str]]:
    for name, variable in _variables(dashboard).items():
        if variable["type"] == "query" and variable["refresh"] != 2:
            yield "", f"{name} is not read again when the time changes"


@rule("uneditable-dashboard-rule")
def _uneditable(dashboard: Json) -> Iterator[tuple[str, str]]:
    if dashboard.get("editable") is not False:
        yield "", "editable"


@rule("panel-datasource-rule")
def _panel_datasource(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        if panel["type"] in QUERIED:
            for each in (panel, *panel.get("targets", ())):
                if each.get("datasource") != SOURCE:
                    yield panel["title"], f"its data source is {each.get('datasource')}"


@rule("panel-title-description-rule")
def _words(dashboard: Json) -> Iterator[tuple[str, str]]:
    titles: set[str] = set()
    for panel in panels(dashboard):
        if not panel.get("title") or len(panel.get("description", "")) < 20:
            yield panel.get("title", ""), "no title or no description"
        if panel["title"] in titles:
            yield panel["title"], "its title is there twice"
        titles.add(panel["title"])


@rule("panel-units-rule")
def _units(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        if panel["type"] in QUERIED:
            overrides = [p for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"]
            for unit in (panel["fieldConfig"]["defaults"].get("unit"), *(each["value"] for each in overrides)):
                if unit not in UNITS:
                    yield panel["title"], f"its unit is {unit}"


@rule("panel-no-targets-rule")
def _targets(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        count = len(panel.get("targets", ()))
        most = {"stat": 1, "timeseries": 5, "table": 8, "text": 0}[panel["type"]]
        if not (panel["type"] == "text" or count) or count > most:
            yield panel["title"], f"{count} queries"


@rule("target-promql-rule")
def _parses(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            try:
                parsed(target["expr"])
            except ValueError as error:
                yield panel["title"], str(error)


@rule("target-rate-interval-rule")
def _rate_interval(dashboard: Json) -> Iterator[tuple[str, str]]:
    for title, _, tree in trees(dashboard):
        for node, above in walked(tree):
            if isinstance(node, MatrixSelector) and isinstance(above[-1], Call):
                seconds, function = node.range.total_seconds(), above[-1].func.name
                allowed = {RATE_SECONDS} if function in ("rate", "irate") else {RATE_SECONDS, RANGE_SECONDS}
                if function in GAINED and seconds not in allowed:
                    yield title, f"{function} over {seconds:g} s"


def _matched(dashboard: Json, label: str) -> Iterator[tuple[str, str]]:
    for title, _, tree in trees(dashboard):
        for selector, _above in selectors(tree):
            if (label, "=~", f"${label}") not in matchers(selector):
                yield title, f"{selector.name}: no {label} matcher"


@rule("target-job-rule")
def _target_job(dashboard: Json) -> Iterator[tuple[str, str]]:
    yield from _matched(dashboard, "job")


@rule("target-instance-rule")
def _target_instance(dashboard: Json) -> Iterator[tuple[str, str]]:
    yield from _matched(dashboard, "instance")


@rule("target-counter-agg-rule")
def _counters(dashboard: Json) -> Iterator[tuple[str, str]]:
    for title, _, tree in trees(dashboard):
        for selector, above in selectors(tree):
            call = above[-2] if len(above) > 1 else None
            gained = isinstance(call, Call) and call.func.name in GAINED
            counted = isinstance(above[-1], MatrixSelector) if above else False
            if COUNTERS.search(selector.name or "") and not (gained and counted):
                yield title, f"{selector.name} as it stands: it falls when it is reset"
            if gained and not COUNTERS.search(selector.name or ""):
                yield title, f"{selector.name} is no counter"
