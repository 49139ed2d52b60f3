"""Rules of our own, on what misleads a reader: a number that was, NaN, free text, too many lines, colour alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from promql_parser import BinaryExpr, Call, NumberLiteral

from dashboard_lint import QUERIED, panels, rule, trees
from grafana_variables import Json
from promql_tree import bare, children, grouped, selectors, sign, walked

# What is never zero by its nature: limits and sizes.
NEVER_ZERO = re.compile(r"^pg_settings_|_limit(_bytes)?$|^stackctl_disk_size_bytes$")
# Labels that a client chooses: they may hold text of a person, and there may be any number of them.
FREE_TEXT = {"query", "application_name", "client_addr", "client_hostname"}
# Labels with one value for each table, index or statement.
MANY = {"relname", "indexrelname", "queryid"}
MOST_ROWS = 25


@rule("what is now is asked for now")
def _instant(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        now = panel["type"] in ("stat", "table")
        form = "table" if panel["type"] == "table" else "time_series"
        for target in panel.get("targets", ()):
            if (target["instant"], target["range"], target["format"]) != (now, not now, form):
                yield panel["title"], "the last of a range would be shown although nothing came since"


@rule("a division has something to divide by")
def _divisions(dashboard: Json) -> Iterator[tuple[str, str]]:
    for title, _, tree in trees(dashboard):
        for node, above in walked(tree):
            if sign(node) == "/" and isinstance(node, BinaryExpr):
                by = bare(node.rhs)
                guarded = sign(by) == ">" or isinstance(by, NumberLiteral)
                if not guarded and not all(NEVER_ZERO.search(s.name or "") for s, _ in selectors(by)):
                    yield title, "an idle server shows NaN"
            if (
                isinstance(node, Call)
                and node.func.name == "histogram_quantile"
                and sign(above[-1] if above else None) != ">="
            ):
                yield title, "nothing observed shows NaN"


@rule("lines have names")
def _legends(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        legends = [target["legendFormat"] for target in panel.get("targets", ())]
        if panel["type"] == "timeseries" and not (all(legends) and len(set(legends)) == len(legends)):
            yield panel["title"], "a legend is missing or there twice"
        for target in panel.get("targets", ()):
            for label in re.findall(r"{{\s*(\w+)\s*}}", target["legendFormat"]):
                if label not in grouped(target["expr"]):
                    yield panel["title"], f"its legend has {label}, its query has not"


@rule("nothing that a client writes becomes a label")
def _free_text(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            for label in FREE_TEXT & (grouped(target["expr"]) | set(re.findall(r"\w+", target["legendFormat"]))):
                yield panel["title"], f"{label} may be anything"


@rule("ten thousand tables are not ten thousand lines")
def _bounded(dashboard: Json) -> Iterator[tuple[str, str]]:
    for title, target, tree in trees(dashboard):
        counts = [node.param.val for node, _ in walked(tree) if sign(node) == "topk"]
        if _kept(tree) & MANY and not (counts and max(counts) <= MOST_ROWS):
            yield title, "one series for each table or statement"
        if target["range"] and sign(tree) == "topk":
            yield title, "topk chooses anew at each point"


def _kept(tree: Any) -> set[str]:
    """Labels that the outermost aggregations keep."""
    node = bare(tree)
    if sign(node) in ("sum", "max", "min", "count", "avg"):
        modifier = node.modifier
        return set(modifier.labels) if modifier else set()
    return {label for child in children(node) for label in _kept(child)}


@rule("colours have words")
def _colours(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        if panel["type"] not in QUERIED:
            continue
        defaults = panel["fieldConfig"]["defaults"]
        results = [r for m in defaults.get("mappings", ()) for r in _results(m)]
        overrides = [p for o in panel["fieldConfig"]["overrides"] for p in o["properties"]]
        columns = [each["value"] for each in overrides if each["id"] == "thresholds"]
        steps = [step for each in (defaults["thresholds"], *columns) for step in each["steps"]]
        told = {each.lower() for each, _ in re.findall(r"(?i)\b(orange|red) (from|below) \d", panel["description"])}
        if {step["color"] for step in steps} - {"green"} - told or not all(each.get("text") for each in results):
            yield panel["title"], "a colour whose meaning is not written down"


def _results(mapping: Json) -> list[Json]:
    return [mapping["options"]["result"]] if mapping["type"] == "special" else list(mapping["options"].values())


@rule("no data is not green")
def _no_data(dashboard: Json) -> Iterator[tuple[str, str]]:
    for panel in panels(dashboard):
        if panel["type"] == "stat":
            defaults = panel["fieldConfig"]["defaults"]
            nothing = [r for m in defaults["mappings"] if m["type"] == "special" for r in _results(m)]
            if [each.get("color") for each in nothing] != ["text"] or defaults.get("noValue") != "no data":
                yield panel["title"], "no data has the colour of a good value"


@rule("panels fill the grid and do not cover each other")
def _layout(dashboard: Json) -> Iterator[tuple[str, str]]:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > 24 or place["w"] < 1 or place["h"] < 1:
            yield panel["title"], "outside the 24 columns"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    yield panel["title"], f"covers {taken[x, y]}"
                    break
                taken[x, y] = panel["title"]
    bottom = max(y for _, y in taken) + 1
    if len([x for x, _ in taken if 0 <= x < 24]) < 24 * bottom:
        yield "", "a hole in the grid"
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(set(ids)) < len(ids):
        yield "", "two panels with one id"


@rule("links lead somewhere")
def _links(dashboard: Json) -> Iterator[tuple[str, str]]:
    known = {f"stackctl-{n}" for n in ("overview", "postgresql", "queries", "tables", "wal", "pools", "app", "host")}
    if dashboard["uid"] not in known or "stackctl" not in dashboard["tags"]:
        yield "", "its uid or its tag is not one that links and alerts know"
    if not any(link["type"] == "dashboards" and link["tags"] == ["stackctl"] for link in dashboard["links"]):
        yield "", "no link to the others"
    for panel in panels(dashboard):
        for link in panel.get("links", ()):
            found = re.fullmatch(r"/d/([\w-]+)\?\$\{__url_time_range\}", link["url"])
            if not found or found[1] not in known - {dashboard["uid"]}:
                yield panel["title"], f"leads to {link['url']}"
