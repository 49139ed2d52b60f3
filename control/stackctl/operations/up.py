"""`stackctl up`: plan, apply, wait until healthy, print the addresses; a failure goes back to what was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackctl.engine.base import ServiceState
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, Problem, Unhealthy
from stackctl.health.probes import observe
from stackctl.operations import plan
from stackctl.operations.apply import apply
from stackctl.operations.backups.engines import unready_repository
from stackctl.operations.ballast import hold_ballast
from stackctl.operations.changes import Changes
from stackctl.operations.drift import drift_warnings, mild_lines
from stackctl.operations.lock import locked
from stackctl.operations.own_app import metrics_url
from stackctl.operations.repository_keys import bring_keys, drop_keys
from stackctl.operations.restoring.leftovers import finish_interrupted, settle
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.operations.stack import Prepared, make_secrets, prepare
from stackctl.operations.state import make_private, save
from stackctl.settings.alert_secrets import drop_alert_secrets
from stackctl.settings.vault import Vault

Note = Callable[[str], None]
DEFAULT_TIMEOUT = 300.0


def up_command(request: Request, runner: Runner, note: Note, timeout: float = DEFAULT_TIMEOUT) -> Result:
    """Bring the stack to the profile. Running it again changes nothing."""
    private = Path(request.project).resolve() / ".stackctl"
    if not private.is_dir():
        # Nothing is written for a profile that is refused, so the lock's folder comes after it.
        prepare(request, runner)
        make_private(private)
    with locked(private, "up"):
        finish_interrupted(request, runner, private, note)
        prepared = _prepare(request, runner, note)
        note(f"engine: {prepared.choice.engine} ({prepared.choice.reason})")
        make_secrets(prepared)
        changes = plan.find_changes(prepared)
        if changes:
            apply(prepared, changes, timeout, runner, note)
            changes = _left(prepared, changes)
        else:
            note("nothing to change")
            bring_keys(prepared)
            save(private, prepared.state)
        drop_alert_secrets(Vault(prepared.opened.project.secrets), prepared.opened.settings.alerts)
        drop_keys(prepared.opened.project)
        left = settle(private, prepared.engine, note)
        left += hold_ballast(prepared.engine, prepared.opened.settings.profile)
        archives = prepared.state.generations.accepted
        unready = unready_repository(prepared.opened.project, prepared.engine) if archives else []
    return _result(prepared, changes, (*left, *unready))


def _left(prepared: Prepared, changes: Changes) -> Changes:
    """What was changed, with the drift that the server has now."""
    try:
        return plan.with_drift(prepared, changes, observe(prepared.engine), done=True)
    except Unhealthy:
        return changes


def _prepare(request: Request, runner: Runner, note: Note) -> Prepared:
    note("sizing the profile and choosing an engine")
    prepared = prepare(request, runner)
    _refuse_two_engines(prepared, runner)
    return prepared


def _refuse_two_engines(prepared: Prepared, runner: Runner) -> None:
    state = prepared.opened.state
    if state is None or state.engine == prepared.choice.engine:
        return
    from stackctl.operations.engines import recorded_engine

    if recorded_engine(prepared.opened, runner).running():
        raise EngineFailed(
            f"this project runs on the {state.engine} engine",
            hint="stackctl down first; its data stays there, and moves only through backup and restore",
        )


def _result(prepared: Prepared, changes: Changes, left: tuple[Problem, ...]) -> Result:
    services = prepared.engine.services()
    urls = addresses(prepared)
    data: dict[str, Any] = {
        **plan.data(prepared, changes),
        "changed": bool(changes),
        "name": prepared.opened.project.name,
        "services_running": [service_data(state) for state in services],
        "addresses": urls,
    }
    rows = [[state.name, state.state, state.health] for state in services]
    out: list[Block] = [
        Line(f"{prepared.opened.project.name} is up on the {prepared.choice.engine} engine.", "good"),
        Table(["service", "state", "health"], rows),
        Table(["address", ""], [[name, url] for name, url in urls.items()]),
    ]
    warnings = (*prepared.warnings, *drift_warnings(changes, done=True), *left)
    return Result(data, [*out, *mild_lines(changes)], warnings)


def addresses(prepared: Prepared) -> dict[str, str]:
    """What a person may open, by service."""
    ports, services = prepared.opened.settings.ports, prepared.deployment.services
    app = prepared.opened.settings.app
    urls = {
        "app": f"http://127.0.0.1:{ports.app}/{'' if app.own else 'tools'}",
    }
    if metrics := metrics_url(app, asdict(ports)):
        urls["metrics"] = metrics
    urls |= {
        s: f"http://127.0.0.1:{getattr(ports, s)}/" for s in ("prometheus", "alertmanager", "grafana") if s in services
    }
    return urls


def service_data(state: ServiceState) -> dict[str, Any]:
    """One service for `--json`."""
    return {
        "name": state.name,
        "state": state.state,
        "health": state.health,
        "version": state.version,
        "address": state.address,
        "memory_bytes": state.memory,
        "cpus": state.cpus,
        "started_at": state.started_at,
    }
