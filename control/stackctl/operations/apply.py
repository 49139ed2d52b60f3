"""Apply a plan: write, start, reload; where that fails, show why and go back to what was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.engine.ports import taken
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, Problem, StackError
from stackctl.operations.backups.access import usable_repository
from stackctl.operations.changes import Changes, frees_commits, reload_needed, reload_suffices
from stackctl.operations.engines import EMBEDDED, recorded_engine
from stackctl.operations.ports import host_ports
from stackctl.operations.receiver import drop_slot
from stackctl.operations.reload import reload_back, reload_server
from stackctl.operations.repository_keys import bring_keys, put_back
from stackctl.operations.restoring.present import refuse_stray
from stackctl.operations.stack import Prepared
from stackctl.operations.state import save
from stackctl.render.manifest import ENGINE_FILES
from stackctl.render.model import File
from stackctl.render.sections import services_in
from stackctl.render.stack import OBSERVER, RECEIVER, SCHEDULER, SERVICES
from stackctl.render.write import snapshot, write

Note = Callable[[str], None]
MARK = "applying"
_LOG_LINES = 15
_WAITS = re.compile(rb"^(synchronous_standby_names *= *).*$", re.MULTILINE)
_GOING_BACK_SECONDS = 120.0


@dataclass(frozen=True)
class Ready:
    """The files to write, and what the stack was run by until now: its files, and what opens the repository."""

    files: tuple[File, ...]
    before: tuple[File, ...]
    keys: Mapping[str, bytes] | None


def apply(prepared: Prepared, changes: Changes, timeout: float, runner: Runner, note: Note) -> None:
    """Bring the stack to `prepared`. Raises what went wrong, after the previous stack runs again."""
    carry_out(prepared, changes, make_ready(prepared, changes, runner, note), timeout, runner, note)


def make_ready(prepared: Prepared, changes: Changes, runner: Runner, note: Note) -> Ready:
    """Find out whether it can be, and have all at hand; the running stack goes on by the files that it has."""
    engine, project = prepared.engine, prepared.opened.project
    if frees_commits(changes):
        _free_commits(prepared, runner, note)
    if problems := taken(_new_ports(prepared, changes)):
        raise _port_error(problems)
    engine.prepare(prepared.deployment, note)
    refuse_stray(engine.places(), prepared.state.generations.current)
    if project.pgbackrest is None:
        # Where the server could not archive to, its WAL would be given up in the end.
        usable_repository(engine)
    files, before = prepared.files(), snapshot(project.rendered)
    return Ready(files, before, bring_keys(prepared))


def carry_out(prepared: Prepared, changes: Changes, ready: Ready, timeout: float, runner: Runner, note: Note) -> None:
    """Write the files and bring the services to them. Raises as `apply`."""
    engine, project = prepared.engine, prepared.opened.project
    begin(project.private)
    write(project.rendered, ready.files)
    save(project.private, prepared.state)
    try:
        if not reload_suffices(changes):
            note(f"starting {', '.join(service for service in prepared.deployment.services if service != 'migrate')}")
            engine.start(prepared.deployment, changes.services if changes.running else (), timeout, note)
        if reload_needed(changes) and changes.running:
            note("reloading PostgreSQL")
            reload_server(prepared)
        if RECEIVER not in prepared.deployment.services and (changes.slot or not changes.running):
            drop_slot(engine)
    except Exception as error:
        # A full disk, too, may end it half way.
        note(f"failed: {error}")
        _show_logs(prepared, ["migrate"] if "migrate" in str(error) else [], note)
        left = _go_back(prepared, ready, changes, timeout, runner, note)
        if isinstance(error, StackError):
            error.problems += left
        raise
    end(project.private)


def _free_commits(prepared: Prepared, runner: Runner, note: Note) -> None:
    """Let the previous configuration wait for nobody, before anything that may fail; what fails goes back to that.

    The receiver may never come back, as on a disk that is broken, and what follows commits, or cuts off who waits.
    """
    note("reloading PostgreSQL, so that no commit waits for the receiver")
    rendered = prepared.opened.project.rendered
    write(rendered, [_waits_for_nobody(file) for file in snapshot(rendered)])
    reload_back(recorded_engine(prepared.opened, runner))


def _waits_for_nobody(file: File) -> File:
    if file.path != "postgres/postgresql.conf":
        return file
    return replace(file, content=_WAITS.sub(rb"\1''", file.content))


def begin(private: Path) -> None:
    """Leave a mark that lasts until the change is through, so that an interrupted one is seen and finished."""
    (private / MARK).touch()


def end(private: Path) -> None:
    """Take the mark away."""
    (private / MARK).unlink(missing_ok=True)


def _show_logs(prepared: Prepared, first: list[str], note: Note) -> None:
    for service in [*first, *_unhealthy(prepared)]:
        note(f"last lines of {service}:")
        for line in prepared.engine.logs(service, _LOG_LINES):
            note(f"    {line}")


def _go_back(
    prepared: Prepared, was: Ready, changes: Changes, timeout: float, runner: Runner, note: Note
) -> tuple[Problem, ...]:
    """What kept the previous stack from running again; the mark stays then, so that the next `up` restarts it all."""
    project, state, before = prepared.opened.project, prepared.opened.state, was.before
    try:
        put_back(project, was.keys)
        if changes.running and before and state is not None:
            note("going back to the previous configuration")
            write(project.rendered, before)
            save(project.private, state)
            _restore(prepared, changes, before, max(_GOING_BACK_SECONDS, timeout), runner, note)
        else:
            prepared.engine.stop(note)
            note("stopped; the data stays")
            write(project.rendered, before)
            if state is not None:
                save(project.private, state)
    except Exception as second:
        message = f"going back failed too: {second}"
        note(message)
        return (Problem("not_back", message, "take the change back, then stackctl up"),)
    end(project.private)
    return ()


def _restore(
    prepared: Prepared, changes: Changes, before: tuple[File, ...], seconds: float, runner: Runner, note: Note
) -> None:
    """Run the previous files on the engine as it was recorded, with the services that those files name."""
    engine = recorded_engine(prepared.opened, runner)
    named = {name for file in before if file.path in ENGINE_FILES for name in services_in(file.path, file.content)}
    for service in (SCHEDULER, OBSERVER):
        named |= {service for file in before if file.path.startswith(f"{service}/")}
    deployment = engine.deployment([service for service in SERVICES if service in named | {"migrate"}])
    if reload_suffices(changes):
        reload_back(engine)
        return
    # First, as a start logs in, and the configuration that failed may refuse every session.
    engine.reload()
    # Nothing else has read the files that failed.
    restarted = {*changes.services, *(state.name for state in engine.services() if state.health == "unhealthy")}
    engine.start(deployment, [name for name in deployment.services if name in restarted], seconds, note)


def _unhealthy(prepared: Prepared) -> list[str]:
    try:
        names = [state.name for state in prepared.engine.services() if state.health != "healthy"]
        return sorted(names, key=lambda name: name != "postgres")[:3]
    except StackError:
        return []


def _new_ports(prepared: Prepared, changes: Changes) -> dict[str, int]:
    """Ports on the host, by service, that this engine does not hold already."""
    names = {"app", "metrics", "prometheus", "alertmanager", "grafana"}
    if prepared.choice.engine == EMBEDDED:
        names = {"app", "metrics", "prometheus", "alertmanager", "exporter", "observer", "postgres", "pgbouncer"}
    present = names & {*prepared.deployment.services, "metrics"}
    ports = host_ports(prepared.opened.settings)
    wanted = {name: ports[name] for name in sorted(present & ports.keys())}
    state = prepared.opened.state
    held = set(state.ports.values()) if state is not None and changes.running else set()
    return {name: port for name, port in wanted.items() if port not in held}


def _port_error(problems: list[Problem]) -> EngineFailed:
    error = EngineFailed(problems[0].message, hint=problems[0].hint, code="port_taken")
    error.problems = tuple(problems)
    return error
