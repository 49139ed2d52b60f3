"""`stackctl size`: parameters, pools and the memory proof, with reasons. Touches nothing."""

from __future__ import annotations

from typing import Any

from stackctl.hardware.model import profile_line
from stackctl.operations.project import assumed_build, fitted, larger_than_host, open_project, sized
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.settings.model import Settings
from stackctl.sizing.model import REFUSED, Sizing, Verdict
from stackctl.units import human

_PARAMETER = ("name", "value", "default", "restart", "why", "source", "provenance")


def size_command(request: Request) -> Result:
    """Size the request's profile. Exit code 10 where the memory proof fails."""
    opened = open_project(request)
    settings = fitted(opened.settings, opened.host) if opened.settings.fit else opened.settings
    sizing = sized(settings, assumed_build(settings, opened.state))
    notes = (*settings.warnings, *larger_than_host(settings.profile, opened.host))
    failing = [warning for warning in sizing.warnings if warning.code in REFUSED]
    kept = [warning for warning in sizing.warnings if warning not in failing]
    return Result(
        data(sizing, settings),
        blocks(sizing, settings),
        warnings=(*notes, *kept),
        errors=failing,
        exit_code=10 if failing else 0,
    )


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
        "parameters": [{name: getattr(p, name) for name in _PARAMETER} for p in sizing.parameters],
    }


def _connections(sizing: Sizing) -> dict[str, int]:
    shape = sizing.connections
    names = ("max_connections", "workers", "pool_size", "max_overflow", "app_total", "reserved", "headroom")
    return {name: getattr(shape, name) for name in names}


def blocks(sizing: Sizing, settings: Settings) -> list[Block]:
    """What a person reads: profile, budget, parameters by topic, connections, proof."""
    found = [key for key, layer in settings.provenance.items() if layer == "detected"]
    out: list[Block] = [Line(f"Profile: {profile_line(sizing.profile)}", "title")]
    if found:
        out.append(Line(f"Detected on this host: {', '.join(found)}", "dim"))
    out.append(
        Table(
            ["service", "memory", "cpus"],
            [[b.service, human(b.memory), f"{b.cpus:g}"] for b in sizing.budget],
            "Budget",
        )
    )
    for topic in dict.fromkeys(p.topic for p in sizing.parameters):
        rows = [
            [p.name, p.default or "''", p.value, _why(p.why, p.restart)] for p in sizing.parameters if p.topic == topic
        ]
        out.append(Table(["parameter", "default", "value", "why"], rows, topic))
    shape = sizing.connections
    out.append(
        Line(
            f"Pools: {shape.pool_size} + {shape.max_overflow} overflow per worker x {shape.workers} workers = "
            f"{shape.app_total} of {shape.max_connections} connections; {shape.reserved} reserved for other roles, "
            f"{shape.headroom} left"
        )
    )
    return [*out, *_proof(sizing)]


def _why(why: str, restart: bool) -> str:
    return f"{why} (restart)" if restart else why


def _proof(sizing: Sizing) -> list[Block]:
    proof = sizing.memory
    style = {Verdict.OK: "good", Verdict.WARN: "plain", Verdict.FAIL: "bad"}[proof.verdict]
    rows = [[i.name, human(i.size), i.formula] for i in proof.items]
    rows.append(["worst case", human(proof.worst_case), f"typical {human(proof.typical)}, limit {human(proof.limit)}"])
    verdict = f"{proof.verdict}: {human(proof.worst_case)} of {human(proof.limit)}" + (
        f"; {proof.fix}" if proof.fix else ""
    )
    return [Table(["item", "at most", "formula"], rows, "Memory proof"), Line(f"Memory {verdict}", style)]
