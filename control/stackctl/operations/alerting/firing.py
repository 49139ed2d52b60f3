"""`stackctl alerts list`: what fires now, as Alertmanager has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine, Problem
from stackctl.operations.alerting.api import alertmanager_of, plain
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.settings.alerts import PAGE, SEVERITIES

_PROMETHEUS = "prometheus"


@dataclass(frozen=True)
class Firing:
    """One alert. `state` is firing, silenced or inhibited; `receivers` are those who are told of it.

    `since` is its beginning in UTC; `silenced_by` names silences, `inhibited_by` fingerprints of other alerts.
    """

    name: str
    severity: str
    state: str
    since: str
    summary: str
    description: str
    runbook_url: str
    dashboard_url: str
    labels: Mapping[str, str]
    receivers: Sequence[str]
    silenced_by: Sequence[str]
    inhibited_by: Sequence[str]


def list_command(request: Request, runner: Runner) -> Result:
    """What fires now, the worst first. Raises NoEngine before the first `up`, Unhealthy where nobody answers."""
    opened = open_recorded(request)
    if opened.state is None:
        raise NoEngine(f"nothing was brought up in {opened.project.folder} yet", hint="stackctl up")
    engine = recorded_engine(opened, runner)
    found = firing(alertmanager_of(engine, opened.state).alerts())
    data = {"alerts": [asdict(each) for each in found]}
    return Result(data, _blocks(found, datetime.now(UTC)), (*opened.warnings, *_unwatched(engine)))


def firing(alerts: Sequence[Mapping[str, Any]]) -> list[Firing]:
    """What the API lists, by severity, then by age."""
    return sorted(map(_firing, alerts), key=lambda each: (_rank(each.severity), each.since, each.name))


def _firing(found: Mapping[str, Any]) -> Firing:
    labels, notes, status = found["labels"], found["annotations"], found["status"]
    silenced, inhibited = status.get("silencedBy") or [], status.get("inhibitedBy") or []
    return Firing(
        name=labels.get("alertname", ""),
        severity=labels.get("severity", ""),
        state="silenced" if silenced else "inhibited" if inhibited else "firing",
        since=datetime.fromisoformat(found["startsAt"]).astimezone(UTC).isoformat(timespec="seconds"),
        summary=notes.get("summary", ""),
        description=notes.get("description", ""),
        runbook_url=notes.get("runbook_url", ""),
        dashboard_url=notes.get("dashboard_url", ""),
        labels=labels,
        receivers=[each["name"] for each in found["receivers"] if each["name"] != PAGE],
        silenced_by=silenced,
        inhibited_by=inhibited,
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _unwatched(engine: Engine) -> list[Problem]:
    """A warning where nothing fires because nobody looks."""
    health = next((each.health for each in engine.services() if each.name == _PROMETHEUS), "absent")
    if health == "healthy":
        return []
    message = f"Prometheus is {health}: nobody finds out whether an alert should fire"
    return [Problem("alerts_unwatched", message, "stackctl logs prometheus")]


def _blocks(found: Sequence[Firing], now: datetime) -> list[Block]:
    if not found:
        return [Line("nothing fires", "good")]
    rows = [[plain(cell) for cell in _row(each, now)] for each in found]
    pages = dict.fromkeys((each.name, each.runbook_url) for each in found if each.runbook_url)
    return [
        Table(["alert", "severity", "state", "since", "summary"], rows),
        *(Line(plain(f"runbook of {name}: {url}")) for name, url in pages),
    ]


def _row(each: Firing, now: datetime) -> list[str]:
    state = each.state if each.state == "firing" else f"{each.state}, not sent"
    return [each.name, each.severity, state, _age(now - datetime.fromisoformat(each.since)), each.summary]


def _age(span: Any) -> str:
    minutes = max(0, int(span.total_seconds())) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 1440 else f"{minutes // 1440} d {minutes // 60 % 24} h"
