"""Render the whole stack: a sizing and an engine's place in, files as values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackctl import __version__, assets
from stackctl.hardware.model import HardwareProfile, profile_line
from stackctl.hardware.usage import CGROUP_FILES
from stackctl.render import alerting, environment, observer, pooler, receiver
from stackctl.render.archive import archive_command
from stackctl.render.manifest import ENTRIES, POSTGRES_ENTRIES, Entry, Target
from stackctl.render.model import File, Place
from stackctl.render.own_app import expanded, health_check
from stackctl.settings import exporter_login
from stackctl.settings.alerts import AlertSettings
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.settings.vault import EXPORTER_PASSWORD, EXPORTER_WEB
from stackctl.sizing.model import SIZED, Sizing
from stackctl.sizing.wal import ARCHIVING

PGBOUNCER = pooler.SERVICE
RECEIVER = receiver.SERVICE
SCHEDULER = "scheduler"
OBSERVER = "observer"
ALERTMANAGER = "alertmanager"
_MONITORING = ("exporter", OBSERVER, "prometheus", ALERTMANAGER, "grafana")
SERVICES = ("postgres", RECEIVER, "migrate", PGBOUNCER, "app", *_MONITORING, SCHEDULER)
DATA_VOLUME = "pgdata"
_VOLUMES = {
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "grafana": "grafana",
    "observer": "room",
}
_EXPORTER_COLLECTORS = (
    "long_running_transactions",
    "postmaster",
    "database_wraparound",
    "stat_statements",
    "stat_activity_autovacuum",
)


@dataclass(frozen=True)
class Stack:
    """Everything that the templates may ask for, beside the sizing: names and addresses, never a secret.

    `pooler_prepares` says whether PgBouncer, where there is one, carries prepared statements. `alert_digest` changes
    with the secrets of who is told of alerts.
    """

    name: str
    place: Place
    services: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    app: AppSection = REFERENCE_APP
    pooler_prepares: bool = True
    alerts: AlertSettings = field(default_factory=AlertSettings)
    alert_digest: str = ""


def render_stack(sizing: Sizing, stack: Stack, target: Target) -> tuple[File, ...]:
    """All files of the stack for `target`, in the manifest's order."""
    context = _context(sizing, stack, target)
    return tuple(
        file
        for entry in ENTRIES
        if entry.target in (None, target) and entry.service in (None, *stack.services)
        if not (entry.reference_app and stack.app.own)
        if not (entry.pgbackrest and not context["pgbackrest"])
        for file in _files(entry, context)
    )


def render_postgres(sizing: Sizing) -> tuple[File, ...]:
    """postgresql.conf and pg_hba.conf for any PostgreSQL, without a path in them."""
    parameters = [each for each in sizing.parameters if each.topic != ARCHIVING or each.provenance != SIZED]
    context = _header(sizing.profile) | {"parameters": parameters, "place": None, "origins": ("samenet",)}
    context["pgbackrest"] = None
    return tuple(file for entry in POSTGRES_ENTRIES for file in _files(entry, context))


def _header(profile: HardwareProfile) -> dict[str, Any]:
    return {"version": __version__, "profile_line": profile_line(profile)}


def _context(sizing: Sizing, stack: Stack, target: Target) -> dict[str, Any]:
    place, section = stack.place, stack.app
    pooled = pooler.variables(sizing, place, prepares=stack.pooler_prepares) if PGBOUNCER in stack.services else {}
    variables = environment.app(sizing, place, section) | pooled
    return {
        **_header(sizing.profile),
        "sizing": sizing,
        "name": stack.name,
        "place": place,
        "parameters": sizing.parameters,
        "archive_command": archive_command(sizing.profile, place),
        "origins": place.origins,
        "services": stack.services,
        "environments": {
            "app": variables,
            "migrate": environment.migrate(sizing, place, section),
            "exporter": environment.exporter(place),
            "receiver": receiver.environment(place),
        },
        "expected": observer.expected(sizing),
        "cgroup_files": CGROUP_FILES,
        "observer_check": observer.CHECK,
        "in_container": target is Target.COMPOSE,
        "receiver_command": receiver.command(sizing.profile, place),
        "app": section,
        "app_command": expanded(section.command, variables),
        "migrate_command": expanded(section.migrate, variables),
        "app_check": health_check(section),
        "pooler": pooler.settings(sizing, prepares=stack.pooler_prepares),
        "exporter": _exporter(sizing.profile.postgres, place),
        "alerting": alerting.settings(stack.alerts, place, stack.alert_digest),
        "data_volume": DATA_VOLUME,
        "held_disk": {},
        "volumes": [stack.extra.get("data_volume", DATA_VOLUME), *_volumes(stack.services)],
        "userlist": "",
        "pgbackrest": None,
        "way_out": False,
        **stack.extra,
    }


def _volumes(services: Sequence[str]) -> list[str]:
    return [_VOLUMES[service] for service in services if service in _VOLUMES]


def _exporter(postgres: int, place: Place) -> dict[str, Any]:
    """Its options, and by which secrets it knows who may ask it.

    By `/probe` whoever may ask has it log in to a server of their choice: as superuser, where it runs as that account.
    Collectors are named that are off by default; the checkpointer's view exists from PostgreSQL 17.
    """
    names: Sequence[str] = (*_EXPORTER_COLLECTORS, "stat_checkpointer") if postgres >= 17 else _EXPORTER_COLLECTORS
    return {
        "flags": [f"--web.config.file={place.secrets}/{EXPORTER_WEB}", *(f"--collector.{name}" for name in names)],
        "web": EXPORTER_WEB,
        "password": EXPORTER_PASSWORD,
        "scraper": exporter_login.USER,
    }


def _files(entry: Entry, context: Mapping[str, Any]) -> Iterator[File]:
    if entry.source.endswith(".j2"):
        from stackctl.render.templates import render

        yield File(entry.destination, render(entry.source, context), entry.mode)
        return
    source = assets.root() / entry.source
    if source.is_file():
        yield File(entry.destination, source.read_bytes(), entry.mode)
        return
    for path in sorted(_regular(source)):
        yield File(f"{entry.destination}/{path.relative_to(source).as_posix()}", path.read_bytes(), entry.mode)


def _regular(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path
