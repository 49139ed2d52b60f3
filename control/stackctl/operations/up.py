"""`stackctl up`: plan, apply, wait until healthy, print the addresses; a failure goes back to what was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stackctl.engine.base import ServiceState
from stackctl.engine.ports import taken
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, Problem, StackError
from stackctl.operations import plan
from stackctl.operations.changes import Changes, reload_needed
from stackctl.operations.lock import locked
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.operations.stack import Prepared, make_secrets, prepare
from stackctl.operations.state import make_private, save
from stackctl.render.model import File
from stackctl.render.write import snapshot, write

Note = Callable[[str], None]
RELOAD = "SELECT pg_reload_conf()"
REFUSED = "SELECT name, setting, error FROM pg_file_settings WHERE error IS NOT NULL"
DEFAULT_TIMEOUT = 300.0
_LOG_LINES = 15


def up_command(request: Request, runner: Runner, note: Note, timeout: float = DEFAULT_TIMEOUT) -> Result:
    """Bring the stack to the profile. Running it again changes nothing."""
    note("sizing the profile and choosing an engine")
    prepared = prepare(request, runner)
    private = prepared.opened.project.private
    note(f"engine: {prepared.choice.engine} ({prepared.choice.reason})")
    _refuse_two_engines(prepared, runner)
    make_private(private)
    with locked(private, "up"):
        make_secrets(prepared)
        changes = plan.find_changes(prepared)
        if not changes:
            note("nothing to change")
            save(private, prepared.state)
            return _result(prepared, changes)
        _apply(prepared, changes, timeout, note)
    return _result(prepared, changes)


def _apply(prepared: Prepared, changes: Changes, timeout: float, note: Note) -> None:
    engine, project = prepared.engine, prepared.opened.project
    if not changes.running and (problems := taken(_ports(prepared))):
        raise _port_error(problems)
    engine.prepare(prepared.deployment, note)
    files = prepared.files()
    before = snapshot(project.rendered)
    write(project.rendered, files)
    save(project.private, prepared.state)
    note(f"starting {', '.join(service for service in prepared.deployment.services if service != 'migrate')}")
    restarts = changes.services if changes.running else ()
    try:
        engine.start(prepared.deployment, prepared.sizing, restarts, timeout, note)
        if reload_needed(changes) and changes.running:
            engine.query(RELOAD)
            _refuse_bad_lines(prepared)
    except StackError as error:
        note(f"failed: {error}")
        raise _with_log(prepared, error, before, changes, note) from error


def _refuse_bad_lines(prepared: Prepared) -> None:
    """A reload keeps the old value of a line that the server refuses, and says so only in its log."""
    if refused := prepared.engine.query(REFUSED):
        lines = "; ".join(f"{row['name']} = {row['setting']}: {row['error']}" for row in refused)
        raise EngineFailed(f"PostgreSQL refuses {lines}", hint="stackctl logs postgres says why; change the pin")


def _with_log(
    prepared: Prepared, error: StackError, before: tuple[File, ...], changes: Changes, note: Note
) -> StackError:
    """Show why, go back to the previous stack, and give the error to end with."""
    for service in _unhealthy(prepared):
        note(f"last lines of {service}:")
        for line in prepared.engine.logs(service, _LOG_LINES):
            note(f"    {line}")
    _go_back(prepared, before, changes, note)
    return error


def _go_back(prepared: Prepared, before: tuple[File, ...], changes: Changes, note: Note) -> None:
    engine, project = prepared.engine, prepared.opened.project
    try:
        if not changes.running or not before:
            engine.stop(note)
            note("stopped; the data stays")
        if before:
            write(project.rendered, before)
        if changes.running and before:
            note("going back to the previous configuration")
            if prepared.opened.state is not None:
                save(project.private, prepared.opened.state)
            engine.start(prepared.deployment, prepared.sizing, prepared.deployment.services, 120, note)
    except StackError as second:
        note(f"going back failed too: {second}")


def _unhealthy(prepared: Prepared) -> list[str]:
    try:
        return [state.name for state in prepared.engine.services() if state.health != "healthy"][:3]
    except StackError:
        return []


def _ports(prepared: Prepared) -> dict[str, int]:
    """Ports that this engine binds on the host, by service."""
    ports = prepared.opened.settings.ports
    names = {"app", "metrics", "prometheus", "alertmanager", "grafana"}
    if prepared.choice.engine == "embedded":
        names = {"app", "metrics", "prometheus", "alertmanager", "exporter", "postgres"}
    present = {*prepared.deployment.services, "metrics"}
    return {name: getattr(ports, name) for name in sorted(names & present)}


def _port_error(problems: list[Problem]) -> EngineFailed:
    error = EngineFailed(problems[0].message, hint=problems[0].hint, code="port_taken")
    error.problems = tuple(problems)
    return error


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


def _result(prepared: Prepared, changes: Changes) -> Result:
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
    return Result(data, out, prepared.warnings)


def addresses(prepared: Prepared) -> dict[str, str]:
    """What a person may open, by service."""
    ports, services = prepared.opened.settings.ports, prepared.deployment.services
    urls = {
        "app": f"http://127.0.0.1:{ports.app}/tools",
        "metrics": f"http://127.0.0.1:{ports.metrics}/metrics",
    }
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
