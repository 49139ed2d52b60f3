"""`stackctl size`: parameters, pools and the memory proof, with reasons. Touches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackctl.errors import UsageError
from stackctl.hardware.model import Host, profile_line
from stackctl.operations.build import unbuilt_pins
from stackctl.operations.project import (
    assumed_build,
    catalog_for,
    fitted,
    larger_than_host,
    open_project,
    recorded_or_asked,
    sized,
)
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.settings.model import Settings
from stackctl.sizing.ballast import ballast_size
from stackctl.sizing.model import REFUSED, Connections, Sizing, Verdict
from stackctl.units import counted, human

_PARAMETER = ("name", "value", "default", "restart", "why", "source", "provenance")


FORMATS = ("table", "conf", "json")


def check_format(output: str | None, *, as_json: bool, comparing: bool) -> None:
    """Raise UsageError for a format that does not exist, or that contradicts the other options."""
    if output is None:
        return
    if output not in FORMATS:
        raise UsageError(f"--format {output!r} is not one of {', '.join(FORMATS)}", hint="the default is table")
    if as_json and output != "json":
        raise UsageError(f"--json and --format {output} contradict each other", hint="leave one of them out")
    if comparing and output == "conf":
        raise UsageError("--compare and --format conf contradict each other", hint="leave one of them out")


def size_command(request: Request, peers: Sequence[str] = ()) -> Result:
    """Size the request's profile, beside what `peers` give for it. Exit code 10 where the memory proof fails."""
    opened = open_project(request)
    bare = recorded_or_asked(opened.settings, opened.state) == "embedded"
    settings = fitted(opened.settings, opened.host) if opened.settings.fit else opened.settings
    build = assumed_build(settings, opened.state)
    sizing = sized(settings, build)
    notes = (*settings.warnings, *larger_than_host(settings.profile, opened.host), *unbuilt_pins(settings, build))
    failing = [warning for warning in sizing.warnings if warning.code in REFUSED]
    kept = [warning for warning in sizing.warnings if warning not in failing]
    document, shown = data(sizing, settings), blocks(sizing)
    if peers:
        more, shown = _compared(sizing, peers)
        document |= more
    return Result(
        document,
        [*shown, *_detected(settings, opened.host), _verdict(sizing, bare=bare)],
        warnings=(*notes, *kept),
        errors=failing,
        exit_code=10 if failing else 0,
    )


def _compared(sizing: Sizing, peers: Sequence[str]) -> tuple[dict[str, Any], list[Block]]:
    from stackctl.operations import compare

    comparison = compare.with_peers(sizing, catalog_for(sizing.profile.postgres), peers)
    return {"compare": compare.data(comparison)}, [_title(sizing), *compare.blocks(comparison)]


def data(sizing: Sizing, settings: Settings) -> dict[str, Any]:
    """The `size` document of the contract."""
    profile, memory = sizing.profile, sizing.memory
    return {
        "profile": {
            "ram_bytes": profile.ram,
            "cpus": profile.cpus,
            "storage": profile.storage,
            "disk_bytes": profile.disk,
            "workload": profile.workload,
            "postgres": profile.postgres,
            "app_workers": profile.app_workers,
            "pooler": profile.pooler,
            "wal_rate_bytes": profile.wal_rate or None,
            "disk_limit": str(profile.disk_limit) or None,
            "provenance": dict(settings.provenance),
        },
        "budget": [{"service": b.service, "memory_bytes": b.memory, "cpus": b.cpus} for b in sizing.budget],
        "memory": {
            "limit_bytes": memory.limit,
            "typical_bytes": memory.typical,
            "worst_case_bytes": memory.worst_case,
            "verdict": memory.verdict,
            "fix": memory.fix,
            "items": [{"name": i.name, "bytes": i.size, "formula": i.formula} for i in memory.items],
        },
        "connections": _connections(sizing),
        "roles": [
            {"name": r.name, "connection_limit": r.connection_limit, "settings": dict(r.settings)} for r in sizing.roles
        ],
        "shm_bytes": sizing.shm_size,
        "ballast_bytes": ballast_size(profile.disk),
        "parameters": [{name: getattr(p, name) for name in _PARAMETER} for p in sizing.parameters],
    }


def _connections(sizing: Sizing) -> dict[str, int]:
    shape = sizing.connections
    names = ("max_connections", "workers", "pool_size", "max_overflow", "app_total", "reserved", "headroom")
    pooled = ("pooler_clients", "pooler_servers") if shape.pooler_clients else ()
    return {name: getattr(shape, name) for name in (*names, *pooled)}


def blocks(sizing: Sizing) -> list[Block]:
    """What a person reads: profile, budget, parameters by topic, connections, proof."""
    shares = [[b.service, human(b.memory), f"{b.cpus:g}"] for b in sizing.budget]
    out = [_title(sizing), Table(["service", "memory", "cpus"], shares, "Budget")]
    for topic in dict.fromkeys(p.topic for p in sizing.parameters):
        rows = [
            [p.name, p.default or "''", p.value, _why(p.why, p.restart)] for p in sizing.parameters if p.topic == topic
        ]
        out.append(Table(["parameter", "default", "value", "why"], rows, topic))
    return [*out, *_pools(sizing.connections), _ballast(sizing), _proof(sizing)]


def _pools(shape: Connections) -> list[Block]:
    """The way of a connection, from the app's pools to the server."""
    pools = (
        f"Pools: {shape.pool_size} + {shape.max_overflow} overflow per worker x {counted(shape.workers, 'worker')} ="
    )
    rest = f"{shape.reserved} reserved for other roles, {shape.headroom} left"
    if not shape.pooler_clients:
        return [Line(f"{pools} {shape.app_total} of {shape.max_connections} connections; {rest}")]
    clients = shape.workers * (shape.pool_size + shape.max_overflow)
    return [
        Line(f"{pools} {clients} of the {shape.pooler_clients} clients that PgBouncer takes"),
        Line(
            f"PgBouncer: {shape.pooler_servers} connections to PostgreSQL of the app's {shape.app_total}, the others "
            f"are for sessions on their way out; max_connections {shape.max_connections}, {rest}"
        ),
    ]


def _ballast(sizing: Sizing) -> Block:
    held = human(ballast_size(sizing.profile.disk))
    return Line(f"Disk: up holds {held} of it back, for the day when it is full: stackctl ballast free")


def _title(sizing: Sizing) -> Block:
    return Line(f"Profile: {profile_line(sizing.profile)}", "title")


def _detected(settings: Settings, host: Host) -> list[Block]:
    """What nobody said, and where a limit made it less than the machine has."""
    found = [key for key, layer in settings.provenance.items() if layer == "detected"]
    sources = {"ram": host.ram_source, "cpus": host.cpus_source}
    shown = [f"{key} ({sources[key]})" if sources.get(key) else key for key in found]
    return [Line(f"Detected on this host: {', '.join(shown)}", "dim")] if shown else []


def _why(why: str, restart: bool) -> str:
    return f"{why} (restart)" if restart else why


def _proof(sizing: Sizing) -> Block:
    proof = sizing.memory
    rows = [[i.name, human(i.size), i.formula] for i in proof.items]
    rows.append(["worst case", human(proof.worst_case), f"typical {human(proof.typical)}, limit {human(proof.limit)}"])
    return Table(["item", "at most", "formula"], rows, "Memory proof")


def _verdict(sizing: Sizing, *, bare: bool) -> Block:
    proof = sizing.memory
    style = {Verdict.OK: "good", Verdict.WARN: "plain", Verdict.FAIL: "bad"}[proof.verdict]
    fix = f"; {proof.fix}" if proof.fix else ""
    # Without a container nothing stops who takes more than was computed.
    computed = " (computed: the embedded engine has no limit that enforces it)" if bare else ""
    return Line(f"Memory {proof.verdict}: {human(proof.worst_case)} of {human(proof.limit)}{fix}{computed}", style)
