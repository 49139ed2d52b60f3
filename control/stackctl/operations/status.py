"""`stackctl status`: services, addresses, memory, drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackctl.engine.base import Engine, ServiceState
from stackctl.engine.runner import Runner
from stackctl.errors import StackError
from stackctl.health.pool import PoolUse
from stackctl.health.probes import ask_pool, observe
from stackctl.operations.engines import recorded_engine
from stackctl.operations.own_app import metrics_url
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.operations.up import service_data
from stackctl.units import counted, human


def status_command(request: Request, runner: Runner) -> Result:
    """What runs now. Exit code 0 also where nothing runs; `health` is the judge."""
    opened = open_recorded(request)
    if opened.state is None:
        nothing: dict[str, Any] = {
            "name": opened.project.name,
            "engine": None,
            "running": False,
            "services": [],
            "last_backup": None,
        }
        return Result(nothing, [Line(f"{opened.project.name} was never brought up: stackctl up")], opened.warnings)
    engine = recorded_engine(opened, runner)
    services = engine.services()
    version, drift, pending = _server(engine)
    pool = ask_pool(url) if (url := metrics_url(opened.state.app, opened.state.ports)) else None
    data: dict[str, Any] = {
        "name": opened.project.name,
        "engine": engine.name,
        "running": any(state.state == "running" for state in services),
        "postgres": version,
        "services": [service_data(state) for state in services],
        "pool": pool_data(pool),
        "drift": {"alter_system": drift, "pending_restart": pending},
        "last_backup": None,
    }
    title = f"{opened.project.name} on the {engine.name} engine" + (f", PostgreSQL {version}" if version else "")
    return Result(data, [Line(title, "title"), *_blocks(services, pool, drift, pending)], opened.warnings)


def _server(engine: Engine) -> tuple[str, list[str], list[str]]:
    """The server's version, parameters set by ALTER SYSTEM, those waiting for a restart; empty without an answer."""
    try:
        running = observe(engine)
    except StackError:
        return "", [], []
    version = running.settings["server_version"].value if "server_version" in running.settings else ""
    return version, sorted(running.altered), sorted(name for name, each in running.settings.items() if each.pending)


def pool_data(pool: PoolUse | None) -> dict[str, int] | None:
    """Use of the app's pools for `--json`; null where the app does not tell."""
    if pool is None:
        return None
    return {
        "in_use": pool.checked_out,
        "idle": pool.idle,
        "size": pool.size,
        "max_overflow": pool.max_overflow,
        "refused": pool.timeouts,
    }


def _blocks(
    services: Sequence[ServiceState], pool: PoolUse | None, drift: Sequence[str], pending: Sequence[str]
) -> list[Block]:
    out: list[Block] = [_services(services) if services else Line("nothing runs")]
    if pool:
        free = f"{pool.checked_out} in use, {pool.idle} idle, of {pool.size} and {pool.max_overflow} in bursts"
        out.append(
            Line(f"Connections of the app: {free}; {counted(pool.timeouts, 'request')} refused since it started")
        )
    if drift:
        out.append(Line(f"Set by ALTER SYSTEM, beside the profile: {', '.join(drift)}", "bad"))
    if pending:
        out.append(Line(f"Waiting for a restart: {', '.join(pending)}", "bad"))
    return out


def _services(services: Sequence[ServiceState]) -> Table:
    """The services; without images none has a version of its own, and the column would hold nothing."""
    versions = any(state.version for state in services)
    columns = ["service", "state", "health", *(["version"] if versions else []), "address", "memory", "since"]
    return Table(columns, [_row(state, versions) for state in services])


def _row(state: ServiceState, versions: bool) -> list[str]:
    memory = human(state.memory) if state.memory else "-"
    version = [state.version or "-"] if versions else []
    return [state.name, state.state, state.health, *version, state.address or "-", memory, state.started_at or "-"]
