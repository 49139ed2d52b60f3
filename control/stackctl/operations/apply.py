"""Apply a plan: write, start, reload; where that fails, show why and go back to what was."""

from __future__ import annotations

import time
from collections.abc import Callable

from stackctl.engine.ports import taken
from stackctl.errors import EngineFailed, Problem, StackError, TimedOut
from stackctl.operations.changes import Changes, reload_needed
from stackctl.operations.stack import Prepared
from stackctl.operations.state import save
from stackctl.render.model import File
from stackctl.render.write import snapshot, write

Note = Callable[[str], None]
REFUSED = "SELECT name, setting, error FROM pg_file_settings WHERE error IS NOT NULL"
LOADED = "SELECT extract(epoch FROM pg_conf_load_time()) AS at"
_LOG_LINES = 15
_RELOAD_SECONDS = 10.0
_GOING_BACK_SECONDS = 120.0


def apply(prepared: Prepared, changes: Changes, timeout: float, note: Note) -> None:
    """Bring the stack to `prepared`. Raises what went wrong, after the previous stack runs again."""
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
            _reload(prepared)
    except StackError as error:
        note(f"failed: {error}")
        raise _with_log(prepared, error, before, changes, note) from error


def _reload(prepared: Prepared) -> None:
    """Reload, and log in anew. The server keeps the old value of a line it refuses, and says so only in its log."""
    before = prepared.engine.query(LOADED)
    prepared.engine.reload()
    deadline = time.monotonic() + _RELOAD_SECONDS
    while prepared.engine.query(LOADED) == before:
        if time.monotonic() > deadline:
            raise TimedOut("PostgreSQL does not reload its configuration", hint="stackctl logs postgres")
        time.sleep(0.1)
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
            # First, as a start logs in, and the configuration that failed may refuse every session.
            engine.reload()
            restarts = prepared.deployment.services
            engine.start(prepared.deployment, prepared.sizing, restarts, _GOING_BACK_SECONDS, note)
    except StackError as second:
        note(f"going back failed too: {second}")


def _unhealthy(prepared: Prepared) -> list[str]:
    try:
        names = [state.name for state in prepared.engine.services() if state.health != "healthy"]
        return sorted(names, key=lambda name: name != "postgres")[:3]
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
