"""What the exporters have, by version, and what the recording rules make of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from promql_labels import TARGET, Known, Unknown, Vector, result

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "tests" / "alerts" / "inventory"
RULES = ROOT / "config" / "prometheus" / "rules"
CASES = ROOT / "tests" / "alerts"
EXPORTERS = ("0.17", "0.19", "0.20")
MAJORS = (15, 16, 17, 18)
# One of each other program is in every combination; the newer Prometheus goes with the newer exporters.
OTHERS = ("app", "stackctl", "alertmanager-0.28")


def rules(name: str = "*") -> list[dict[str, Any]]:
    """All rules, alerts and recording ones, of one topic or of all."""
    paths = sorted(RULES.glob(f"{name}.yml"))
    groups = [group for path in paths for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """All rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


@cache
def inventory(name: str) -> Known:
    """One program's series."""
    rows = (INVENTORY / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {
        series: Vector(_labels(labels) | TARGET, kind) for series, kind, labels in (row.split("\t") for row in rows)
    }


def _labels(cell: str) -> frozenset[str]:
    return frozenset(cell.split(",")) if cell else frozenset()


def raw(exporter: str, major: int) -> dict[str, Vector]:
    """All series of a stack with these versions, before any rule."""
    prometheus = "prometheus-2.53" if exporter == "0.17" else "prometheus-3.5"
    names = (f"postgres_exporter-{exporter}-pg{major}", prometheus, *OTHERS)
    return {series: vector for name in names for series, vector in inventory(name).items()}


@cache
def known(exporter: str, major: int) -> Known:
    """All series of a stack with these versions, recorded ones too, in the order in which they are recorded."""
    found = raw(exporter, major)
    for rule in rules("recording"):
        found[rule["record"]] = Vector(result(rule["expr"], found), "recorded")
    return found


def combinations() -> Iterator[tuple[str, int]]:
    """Every supported pair of exporter and server."""
    return ((exporter, major) for exporter in EXPORTERS for major in MAJORS)


def anywhere(series: str) -> list[frozenset[str]]:
    """The sets of labels that a series has in any combination; raises Unknown where there is none."""
    found = {known(*each)[series].labels for each in combinations() if series in known(*each)}
    if not found:
        raise Unknown(f"no series {series}")
    return sorted(found, key=len)
