"""Panels in Grafana's classic schema, every option that it requires given; a board puts them in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

from grafana.limits import NONE, Json, Limits

NO_DATA = "no data"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Query:
    """One expression. `slow` where what it reads changes once a minute and not at each scrape."""

    expr: str
    legend: str = ""
    slow: bool = False


@dataclass(frozen=True)
class Column:
    """One value of each row of a table; `absent` is what an empty cell says."""

    title: str
    expr: str
    unit: str
    limits: Limits = NONE
    absent: str = "-"


@dataclass(frozen=True)
class Words:
    """What every panel says of itself: its name, what it shows, and what to do about it."""

    title: str
    shows: str
    do: str


def stat(words: Words, expr: str, unit: str, limits: Limits = NONE, **more: Any) -> Json:
    """One number, of now: an instant query, so that a value which stopped coming is not shown as if it went on.

    `says` names values in place of numbers, `idle` what it says where there is nothing to count, `to` is the dashboard
    behind it. Without an answer it says so.
    """
    says: dict[str, tuple[str, str]] = {**more.get("says", {})}
    if idle := more.get("idle"):
        expr, says["-1"] = idle.or_less(expr), (idle.says, "text")
    panel = _panel("stat", words, unit, limits)
    panel["fieldConfig"]["defaults"] |= {"noValue": NO_DATA, "mappings": _mappings(says)}
    panel["options"] = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "textMode": "value",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    panel["targets"] = _targets([Query(expr, words.title)], instant=True)
    if uid := more.get("to"):
        panel["links"] = [_link(uid)]
    return panel


def timeseries(words: Words, queries: Sequence[Query], unit: str, limits: Limits = NONE, **more: Any) -> Json:
    """Lines over time; a gap stays a gap. `stacked` where the parts make a whole, `most` bounds the axis."""
    panel = _panel("timeseries", words, unit, limits)
    marked = limits != NONE
    panel["fieldConfig"]["defaults"] |= {
        "min": 0,
        "color": {"mode": "palette-classic"},
        "custom": {
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 20 if more.get("stacked") else 5,
            "spanNulls": False,
            "showPoints": "auto",
            "axisPlacement": "auto",
            "stacking": {"mode": "normal" if more.get("stacked") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if marked else "off"},
        },
    }
    if "most" in more:
        panel["fieldConfig"]["defaults"]["max"] = more["most"]
    panel["options"] = {
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["max", "last"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel["targets"] = _targets(queries, instant=False)
    return panel


def table(words: Words, labels: Mapping[str, str], columns: Sequence[Column], sort: str, **more: Any) -> Json:
    """One row for each set of `labels` (label: heading), sorted by the column `sort`, highest first unless `rising`."""
    panel = _panel("table", words, columns[0].unit, NONE)
    marked = [f"{column.title}: {column.limits.words(column.unit)}" for column in columns if column.limits != NONE]
    panel["description"] = " ".join((words.shows, *marked, words.do))
    panel["fieldConfig"]["defaults"]["noValue"] = more.get("absent", NO_DATA)
    panel["fieldConfig"]["defaults"]["custom"] = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "inspect": False,
        "filterable": False,
    }
    panel["fieldConfig"]["overrides"] = [_override(column) for column in columns]
    panel["options"] = {
        "showHeader": True,
        "cellHeight": "sm",
        "frameIndex": 0,
        "sortBy": [{"displayName": sort, "desc": not more.get("rising")}],
    }
    panel["targets"] = _targets([Query(column.expr, column.title) for column in columns], instant=True, form="table")
    values = [f"Value #{letter}" for letter, _ in zip(ascii_uppercase, columns, strict=False)]
    # Grafana calls the values of the only query that has any just Value: most often the first.
    names = [*labels, "Value", *values]
    titles = [*labels.values(), columns[0].title, *(column.title for column in columns)]
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": dict(zip(names, titles, strict=True)),
            },
        },
    ]
    return panel


def text(words: Words, markdown: str) -> Json:
    """A panel that only says something."""
    return {
        "type": "text",
        "title": words.title,
        "description": f"{words.shows} {words.do}",
        "options": {"mode": "markdown", "content": markdown},
    }


@dataclass(frozen=True)
class Line:
    """Panels side by side, `height` rows of the grid; together they are 24 columns wide."""

    height: int
    panels: Sequence[Json]
    widths: Sequence[int] = field(default_factory=tuple)


def _panel(kind: str, words: Words, unit: str, limits: Limits) -> Json:
    thresholds = {"mode": "absolute", "steps": limits.steps()}
    return {
        "type": kind,
        "title": words.title,
        "description": " ".join(filter(None, (words.shows, limits.words(unit), words.do))),
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": thresholds}, "overrides": []},
    }


def _targets(queries: Sequence[Query], *, instant: bool, form: str = "time_series") -> list[Json]:
    targets = []
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        target: Json = {
            "refId": letter,
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
            "format": form,
            "instant": instant,
            "range": not instant,
        }
        if query.slow:
            # Four of these are the least that $__rate_interval then is.
            target["interval"] = "1m"
        targets.append(target)
    return targets


def _mappings(says: Mapping[str, tuple[str, str]]) -> list[Json]:
    # Without this, no data has the colour of the smallest value: green.
    nothing = {"match": "null+nan", "result": {"text": NO_DATA, "color": "text", "index": len(says)}}
    special: Json = {"type": "special", "options": nothing}
    if not says:
        return [special]
    options = {v: {"text": text, "color": c, "index": i} for i, (v, (text, c)) in enumerate(says.items())}
    return [{"type": "value", "options": options}, special]


def _override(column: Column) -> Json:
    properties: list[Json] = [{"id": "unit", "value": column.unit}, {"id": "noValue", "value": column.absent}]
    if column.limits != NONE:
        properties += [
            {"id": "thresholds", "value": {"mode": "absolute", "steps": column.limits.steps()}},
            {"id": "custom.cellOptions", "value": {"type": "color-text"}},
        ]
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _link(uid: str) -> Json:
    return {
        "title": "Look closer",
        "type": "link",
        "url": f"/d/{uid}?${{__url_time_range}}",
        "icon": "dashboard",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": False,
        "keepTime": False,
    }
