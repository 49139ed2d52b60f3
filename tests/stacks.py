"""Whole stacks as both engines would render them, with everything that varies between machines fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackctl.engine.docker import place as docker
from stackctl.engine.embedded import place as embedded
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.operator_service import OperatorService
from stackctl.engine.embedded.own_app import OwnProgram
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner, SystemUser
from stackctl.render import schedule
from stackctl.render.manifest import Target
from stackctl.render.model import File, Place
from stackctl.render.own_app import with_app
from stackctl.render.stack import SERVICES, Stack, render_stack
from stackctl.settings.alerts import AlertSettings
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.settings.backup import BackupSettings
from stackctl.settings.model import Ports
from stackctl.sizing.model import Sizing

IMAGES = {service: f"example/{service}:1.0" for service in SERVICES}
SCHEDULE = {"settings": schedule.section(BackupSettings()), "state": schedule.state("shop", 17, 0, accepted=True)}
_PROGRAMS = ("python", "postgres", "pgbouncer", "exporter", "prometheus", "alertmanager")


def services_of(sizing: Sizing) -> tuple[str, ...]:
    return tuple(service for service in SERVICES if sizing.share(service))


def compose_files(
    sizing: Sizing,
    *,
    engine: tuple[int, ...] | None = (28, 2),
    ports: Ports | None = None,
    app: AppSection = REFERENCE_APP,
    alerts: AlertSettings | None = None,
    held_disk: Mapping[str, Any] | None = None,
) -> tuple[File, ...]:
    """The stack for Compose, as an engine of version `engine` gets it."""
    services = tuple(service for service in services_of(sizing) if service != "migrate" or app.migrates)
    images = IMAGES | ({"app": app.image, "migrate": app.image} if app.own else {})
    rest = {
        **docker.extra(sizing, ports or Ports(), images, engine),
        "held_disk": held_disk or {},
        "secrets": docker.secret_names(sizing, services),
        "secrets_folder": "../secrets",
        "tail": docker.tail("../../backups/tail", SystemUser("operator", 1000, 1000)),
        "archive": {**docker.archive("../../backups/wal"), "group": 1000},
        "observer": {
            "user": "1000:1000",
            "group": None,
            "source": "../../backups",
            "repository": "/srv/shop/backups",
            "target": "/srv/shop/backups",
            "localtime": True,
        },
        "schedule": SCHEDULE,
        "fingerprint": "0123456789ab",
    }
    where, told = with_app(docker.place_of(sizing.profile.postgres), app), alerts or AlertSettings()
    stack = Stack("shop", where, services, rest, app, alerts=told)
    return render_stack(sizing, stack, Target.COMPOSE)


def place_of_containers() -> Place:
    """Paths and addresses inside containers."""
    return docker.place_of(17)


def embedded_files(
    sizing: Sizing,
    root: Path,
    *,
    app: AppSection = REFERENCE_APP,
    ports: Ports | None = None,
    alerts: AlertSettings | None = None,
    programs: dict[str, str] | None = None,
) -> tuple[File, ...]:
    """The stack for the embedded engine in a home at `root`, under a system account; an own app is in /srv/shop."""
    home = Home(root, root / "rendered", root / "secrets", root / "run", SystemUser("stackctl", 990, 990))
    where = replace(embedded.place_of(home, ports or Ports(), sizing.profile.postgres), shared_memory="posix")
    found = {name: f"{root}/programs/{name}" for name in _PROGRAMS} | (programs or {})
    services = tuple(service for service in services_of(sizing) if service != "grafana")
    bin_folder = "/srv/shop/bin"
    words = [[f"{bin_folder}/{each}" for each in argv[:1]] for argv in (app.command, app.migrate)]
    own = OwnProgram("/srv/shop", *words, {"PATH": bin_folder}) if app.own else None
    observer = OperatorService(Project("shop", root.parents[1]), Runner(), "observer", where.addresses["observer"])
    values = {**observer.values(), "command": ["/usr/bin/stackctl", "exporter"]}
    extra = {**embedded.extra(home, found, where, sizing), "own": own, "observer": values}
    stack = Stack("shop", with_app(where, app), services, extra, app, alerts=alerts or AlertSettings())
    return render_stack(sizing, stack, Target.EMBEDDED)


def by_path(files: tuple[File, ...]) -> dict[str, str]:
    """The files' text by their paths."""
    return {file.path: file.content.decode() for file in files}
