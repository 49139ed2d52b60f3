"""Checks of a host before anything runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.health.model import Check, Status, backup_place
from stackctl.units import GIB, Bytes, human

_OLDEST_ENGINE = (20, 10)
_OLDEST_COMPOSE = (2, 17)


@dataclass(frozen=True)
class HostFacts:
    """What was found on the host. Versions are None where the program is missing or does not answer.

    `pooler` is the embedded engine's, empty where it is missing, None where nobody asked for one. `ballast` is what
    `up` would still take of the disk to hold it back.
    """

    engine: tuple[int, ...] | None
    compose: str
    embedded: str
    postgres: int
    wanted_engine: str
    ram_wanted: Bytes
    ram_available: Bytes
    disk_free: Bytes
    ports_taken: tuple[str, ...]
    overcommit: str
    swappiness: str
    clock_synchronised: bool | None
    engine_problem: str = ""
    ram_source: str = ""
    pooler: str | None = None
    backups_beside_data: bool | None = None
    ballast: int = 0


def judge_host(facts: HostFacts) -> tuple[Check, ...]:
    """All host checks, in the order in which they would stop an `up`."""
    return (
        _engine(facts),
        _compose(facts),
        _embedded(facts),
        *_pooler(facts),
        _memory(facts),
        _disk(facts),
        _ports(facts),
        *_kernel(facts),
        _clock(facts),
        backup_place(facts.backups_beside_data),
    )


def _engine(facts: HostFacts) -> Check:
    needed = facts.wanted_engine == "docker"
    if facts.engine is None:
        status = Status.FAIL if needed else Status.WARN if facts.embedded else Status.FAIL
        return Check(
            "docker_engine",
            status,
            facts.engine_problem or "no Docker Engine answers",
            "stackctl must be allowed to use it, or use --engine embedded"
            if facts.engine_problem
            else "install and start it, or use --engine embedded",
        )
    shown = ".".join(map(str, facts.engine))
    if facts.engine < _OLDEST_ENGINE:
        return Check(
            "docker_engine",
            Status.FAIL if needed else Status.WARN,
            f"Docker Engine {shown} is older than 20.10",
            "update it",
        )
    return Check("docker_engine", Status.OK, f"Docker Engine {shown}")


def _compose(facts: HostFacts) -> Check:
    if facts.engine is None:
        return Check("docker_compose", Status.SKIP, "no engine to use it with")
    bad = Status.FAIL if facts.wanted_engine == "docker" else Status.WARN
    if not facts.compose:
        return Check(
            "docker_compose",
            bad,
            "the Compose plugin is missing",
            "install docker-compose-plugin (or docker-compose 2)",
        )
    version = tuple(int(part) for part in facts.compose.lstrip("v").split("-")[0].split(".")[:2] if part.isdigit())
    if version < _OLDEST_COMPOSE:
        return Check(
            "docker_compose",
            bad,
            f"Compose {facts.compose} has no up --wait-timeout",
            "update it to 2.17 or newer",
        )
    return Check("docker_compose", Status.OK, f"Compose {facts.compose}")


def _embedded(facts: HostFacts) -> Check:
    if facts.embedded:
        return Check("embedded_engine", Status.OK, facts.embedded)
    status = Status.FAIL if facts.wanted_engine == "embedded" else Status.WARN
    return Check(
        "embedded_engine",
        status,
        f"no PostgreSQL {facts.postgres} for it",
        "install it, take another --pg, or use the Docker engine",
    )


def _pooler(facts: HostFacts) -> tuple[Check, ...]:
    if facts.pooler is None:
        return ()
    if facts.pooler:
        return (Check("embedded_pooler", Status.OK, facts.pooler),)
    status = Status.FAIL if facts.wanted_engine == "embedded" else Status.WARN
    hint = "install the package pgbouncer, take --pooler none, or use the Docker engine"
    return (Check("embedded_pooler", status, "no PgBouncer 1.14 or newer for the embedded engine", hint),)


def _memory(facts: HostFacts) -> Check:
    evidence = f"{human(facts.ram_available)} available for a profile of {human(facts.ram_wanted)}"
    if facts.ram_source:
        evidence += f" ({facts.ram_source})"
    if facts.ram_available < facts.ram_wanted // 2:
        return Check("memory", Status.FAIL, evidence, "stop what else runs, or take a smaller --ram")
    if facts.ram_available < facts.ram_wanted * 4 // 5:
        return Check("memory", Status.WARN, evidence, "other programs use what the profile counts on")
    return Check("memory", Status.OK, evidence)


def _disk(facts: HostFacts) -> Check:
    left = facts.disk_free - facts.ballast
    status = Status.FAIL if left < 2 * GIB else Status.WARN if left < 10 * GIB else Status.OK
    held = f", of which up holds {human(facts.ballast)} back as ballast" if facts.ballast else ""
    return Check(
        "disk",
        status,
        f"{human(facts.disk_free)} free{held}",
        "" if status is Status.OK else "free some space before data grows",
    )


def _ports(facts: HostFacts) -> Check:
    if not facts.ports_taken:
        return Check("ports", Status.OK, "all free, or ours")
    return Check("ports", Status.FAIL, "; ".join(facts.ports_taken), "stop them, or set ports in stackctl.yaml")


def _kernel(facts: HostFacts) -> tuple[Check, Check]:
    overcommit = Status.OK if facts.overcommit == "2" else Status.WARN
    swappiness = Status.OK if facts.swappiness.isdigit() and int(facts.swappiness) <= 10 else Status.WARN
    return (
        Check(
            "vm.overcommit_memory",
            overcommit,
            facts.overcommit or "unknown",
            "" if overcommit is Status.OK else "2 on a machine of its own: allocation fails instead of the OOM killer",
        ),
        Check(
            "vm.swappiness",
            swappiness,
            facts.swappiness or "unknown",
            "" if swappiness is Status.OK else "sysctl vm.swappiness=1 keeps buffers in memory",
        ),
    )


def _clock(facts: HostFacts) -> Check:
    if facts.clock_synchronised is None:
        return Check("clock", Status.SKIP, "the kernel does not tell")
    if facts.clock_synchronised:
        return Check("clock", Status.OK, "synchronised")
    return Check(
        "clock",
        Status.WARN,
        "not synchronised",
        "recovery to a time needs a right clock: start an NTP client",
    )
