"""Everything a command needs to know about the project, and where each value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackctl.errors import Problem
from stackctl.hardware.model import HardwareProfile
from stackctl.sizing.model import Pins


@dataclass(frozen=True)
class Ports:
    """Ports on loopback, one for each service that has one."""

    app: int = 4444
    metrics: int = 4445
    postgres: int = 5432
    exporter: int = 9187
    prometheus: int = 9090
    alertmanager: int = 9093
    grafana: int = 3000


@dataclass(frozen=True)
class Settings:
    """The resolved project.

    `provenance` says for each key (`ram`, `postgres`, `ports.app`) which layer decided; `origins` says for
    each pin where it stands, down to the line, for messages.
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
