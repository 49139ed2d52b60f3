"""Everything a command needs to know about the project, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from stackctl.errors import Problem
from stackctl.hardware.model import Build, HardwareProfile
from stackctl.settings.alerts import AlertSettings
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.settings.backup import BackupSettings
from stackctl.sizing.model import Pins


@dataclass(frozen=True)
class Ports:
    """Ports on loopback, one for each service that has one."""

    app: int = 4444
    metrics: int = 4445
    postgres: int = 5432
    pgbouncer: int = 6432
    exporter: int = 9187
    observer: int = 9188
    prometheus: int = 9090
    alertmanager: int = 9093
    grafana: int = 3000


@dataclass(frozen=True)
class Settings:
    """The resolved project.

    `provenance` says for each key (`ram`, `postgres`, `ports.app`) which layer decided; `origins` says for
    each pin, port and key of the app where it stands, down to the line, for messages. `build` is what the server is
    said to have, the folder of its programs, or None where nothing is said.
    """

    name: str
    profile: HardwareProfile
    provenance: Mapping[str, str]
    pins: Pins
    engine: str
    images: str | None
    ports: Ports
    fit: bool
    warnings: tuple[Problem, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    build: Build | PurePath | None = None
    app: AppSection = REFERENCE_APP
    backup: BackupSettings = field(default_factory=BackupSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
