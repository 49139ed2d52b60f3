"""`stackctl plan`: what `up` would change, compared with the running server rather than with old files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stackctl.engine.runner import Runner
from stackctl.errors import Unhealthy
from stackctl.hardware.model import profile_line
from stackctl.health.drift import find_drift, find_pending
from stackctl.health.probes import observe
from stackctl.health.running import Running
from stackctl.operations.apply import MARK
from stackctl.operations.changes import Changes, parameter_changes, restarted_services
from stackctl.operations.drift import drift_blocks, drift_data, drift_warnings
from stackctl.operations.project import catalog_for
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.operations.stack import Prepared, prepare
from stackctl.render.manifest import ENGINE_FILES
from stackctl.render.model import File
from stackctl.render.sections import changed_services
from stackctl.render.stack import RECEIVER
from stackctl.render.write import compare

CHANGES_PENDING = 12


def plan_command(request: Request, runner: Runner) -> Result:
    """Compare and change nothing. Exit code 12 where something would change."""
    prepared = prepare(request, runner)
    changes = find_changes(prepared)
    return Result(
        data(prepared, changes),
        blocks(prepared, changes),
        (*prepared.warnings, *drift_warnings(changes)),
        exit_code=CHANGES_PENDING if changes else 0,
    )


def find_changes(prepared: Prepared, running: Running | None = None) -> Changes:
    """Files against their record, parameters against the running server, services against the engine.

    `running` is what the server said, where it was asked already.
    """
    rendered = prepared.files()
    lasting = [service for service in prepared.deployment.services if service != "migrate"]
    files = compare(prepared.opened.project.rendered, rendered)
    if not prepared.engine.running():
        return Changes(files, (), lasting, running=False)
    # An up was interrupted, or could not go back: the files are right, and nobody knows who has read them.
    unread = (prepared.opened.project.private / MARK).exists()
    try:
        running = running or observe(prepared.engine)
    except Unhealthy:
        return Changes(files, (), lasting if unread else ["postgres", *_not_healthy(prepared)], running=True)
    catalog = catalog_for(prepared.sizing.profile.postgres)
    parameters = parameter_changes(prepared.sizing.parameters, running, catalog)
    services = sorted(
        {
            *_not_healthy(prepared),
            *prepared.engine.outdated(),
            *restarted_services(files, parameters),
            *_redefined(prepared, rendered),
        }
    )
    if unread:
        services = lasting
    slot = running.slot and RECEIVER not in prepared.deployment.services
    return with_drift(prepared, Changes(files, parameters, services, running=True, slot=slot), running)


def with_drift(prepared: Prepared, changes: Changes, running: Running, *, done: bool = False) -> Changes:
    """`changes`, planned or done, with what the server has beside the profile."""
    sizing, catalog = prepared.sizing, catalog_for(prepared.sizing.profile.postgres)
    wanted = {parameter.name: parameter.value for parameter in sizing.parameters}
    roles = {role.name: role.settings for role in sizing.roles}
    if not done and any(change.path == "postgres/provision.sql" for change in changes.files):
        # The roles have what an earlier profile gave them.
        running = replace(
            running, roles=[r for r in running.roles if r.database or r.name not in roles.get(r.role, ())]
        )
    return replace(
        changes,
        drift=find_drift(running, wanted, roles, catalog),
        pending=find_pending(running, catalog),
        refused=running.refused,
    )


def _redefined(prepared: Prepared, rendered: Sequence[File]) -> set[str]:
    """Services that the engine's own file describes differently, so that the engine restarts them."""
    folder, found = prepared.opened.project.rendered, set()
    for file in rendered:
        if file.path in ENGINE_FILES and (folder / file.path).is_file():
            found |= changed_services(file.path, (folder / file.path).read_bytes(), file.content)
    return found - {"migrate"}


def _not_healthy(prepared: Prepared) -> list[str]:
    healthy = {state.name for state in prepared.engine.services() if state.health == "healthy"}
    return [service for service in prepared.deployment.services if service != "migrate" and service not in healthy]


def data(prepared: Prepared, changes: Changes) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "engine": prepared.choice.engine,
        "reason": prepared.choice.reason,
        "running": changes.running,
        "files": [{"path": c.path, "change": c.kind} for c in changes.files],
        "parameters": [
            {"name": c.name, "old": c.old, "new": c.new, "action": "restart" if c.restart else "reload"}
            for c in changes.parameters
        ],
        "services": list(dict.fromkeys(changes.services)),
        "slot_dropped": changes.slot,
        "drift": drift_data(changes.drift),
    }


def blocks(prepared: Prepared, changes: Changes) -> list[Block]:
    """What a person reads."""
    out: list[Block] = [
        Line(f"Profile: {profile_line(prepared.sizing.profile)}", "title"),
        Line(f"Engine: {prepared.choice.engine} ({prepared.choice.reason})"),
    ]
    if not changes:
        return [*out, Line("Nothing to change.", "good"), *drift_blocks(changes)]
    if changes.parameters:
        rows = [[c.name, c.old, c.new, "restart" if c.restart else "reload"] for c in changes.parameters]
        out.append(Table(["parameter", "running", "new", "needs"], rows, "Parameters"))
    if changes.files:
        out.append(Table(["file", "change"], [[c.path, c.kind] for c in changes.files], "Files"))
    if changes.services:
        verb = "restart" if changes.running else "start"
        out.append(Line(f"Services to {verb}: {', '.join(dict.fromkeys(changes.services))}"))
    if changes.slot:
        out.append(Line("Slot to drop: the receiver's, which would keep WAL for nobody"))
    return [*out, *drift_blocks(changes)]
