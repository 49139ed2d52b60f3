"""Dashboards against Grafana's own types, of its last two major versions; see tools/dashboard_schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from stackctl import assets

Json = dict[str, Any]
FILES = sorted((assets.root() / "dashboards").glob("*.json"))
SCHEMAS = {
    major: jsonschema.Draft7Validator(json.loads(Path(__file__).with_name(f"grafana-{major}.schema.json").read_text()))
    for major in (12, 13)
}


@pytest.fixture(params=SCHEMAS, ids=lambda major: f"grafana-{major}")
def schema(request: pytest.FixtureRequest) -> jsonschema.Draft7Validator:
    return SCHEMAS[request.param]


def panel(dashboard: Json, kind: str) -> Json:
    found: Json = next(each for each in dashboard["panels"] if each["type"] == kind)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafana_knows_every_word_of_a_dashboard(path: Path, schema: jsonschema.Draft7Validator) -> None:
    found = jsonschema.exceptions.best_match(schema.iter_errors(json.loads(path.read_text())))
    assert found is None, f"{found.json_path}: {found.message}"


# A schema whose imports were not found accepts everything: these must be refused.
CANARIES: dict[str, Callable[[Json], Any]] = {
    "an older schema": lambda d: d.update(schemaVersion=41),
    "no uid": lambda d: d.pop("uid"),
    "a field of the dashboard": lambda d: d.update(rows=[]),
    "a kind of panel": lambda d: panel(d, "stat").update(type="singlestat"),
    "a field of a panel": lambda d: panel(d, "stat").update(span=4),
    "no description": lambda d: panel(d, "stat").pop("description"),
    "a place in words": lambda d: panel(d, "stat")["gridPos"].update(w="4"),
    "a unit that is a number": lambda d: panel(d, "stat")["fieldConfig"]["defaults"].update(unit=1),
    "an option of a stat": lambda d: panel(d, "stat")["options"].update(sparkline=True),
    "a missing option of a stat": lambda d: panel(d, "stat")["options"].pop("graphMode"),
    "a colour mode": lambda d: panel(d, "stat")["options"].update(colorMode="text"),
    "a threshold without a value": lambda d: panel(d, "stat")["fieldConfig"]["defaults"]["thresholds"].update(
        steps=[{"color": "red"}]
    ),
    "a mapping": lambda d: panel(d, "stat")["fieldConfig"]["defaults"].update(mappings=[{"type": "value", "map": {}}]),
    "a legend without a place": lambda d: panel(d, "timeseries")["options"]["legend"].pop("placement"),
    "an option of lines": lambda d: panel(d, "timeseries")["options"].update(fill=1),
    "a field of lines": lambda d: panel(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(linewidth=1),
    "a way to draw": lambda d: panel(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(drawStyle="lines"),
    "a field of a query": lambda d: panel(d, "stat")["targets"][0].update(query="up"),
    "a query without an expression": lambda d: panel(d, "stat")["targets"][0].pop("expr"),
    "a format of a query": lambda d: panel(d, "stat")["targets"][0].update(format="timeseries"),
    "an option of a table": lambda d: panel(d, "table")["options"].update(fontSize="100%"),
    "a cell": lambda d: panel(d, "table")["fieldConfig"]["defaults"]["custom"].update(cellOptions={"type": "color"}),
    "a property of a column": lambda d: panel(d, "table")["fieldConfig"]["overrides"][0]["properties"].append(
        {"id": "units", "value": "s"}
    ),
    "a transformation": lambda d: panel(d, "table")["transformations"].append({"id": "mergers", "options": {}}),
    "an option of a transformation": lambda d: panel(d, "table")["transformations"][1]["options"].update(rename={}),
    "a text": lambda d: panel(d, "text")["options"].update(mode="md"),
    "a kind of variable": lambda d: d["templating"]["list"][1].update(type="label"),
    "how often a variable is read": lambda d: d["templating"]["list"][1].update(refresh=3),
    "a link": lambda d: d["links"][0].update(type="dashboard"),
}


@pytest.mark.parametrize("what", CANARIES)
def test_what_grafana_does_not_know_is_refused(what: str, schema: jsonschema.Draft7Validator) -> None:
    dashboard = copy.deepcopy(json.loads((assets.root() / "dashboards" / "overview.json").read_text()))
    CANARIES[what](dashboard)
    assert not schema.is_valid(dashboard)
