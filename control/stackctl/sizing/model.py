"""What sizing gives: parameters with reasons, a budget, connections and a memory proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from stackctl.errors import Problem
from stackctl.hardware.model import HardwareProfile
from stackctl.units import Bytes, Millis

SIZED = "sized"
MANDATORY = "mandatory"
# Codes of the problems that a stack is not brought up with; the others are told.
REFUSED = frozenset(["memory", "pool_too_large", "dangerous"])


@dataclass(frozen=True)
class Pin:
    """A value that the user fixed, and where (`flag`, `environment`, `.env`, `stackctl.yaml`)."""

    value: str
    provenance: str


Pins = Mapping[str, Pin]


@dataclass(frozen=True)
class Parameter:
    """One PostgreSQL setting, `value` and `default` spelled as in postgresql.conf.

    `source` names where the rule comes from, `provenance` who decided: mandatory, a user's layer, or sized.
    """

    name: str
    value: str
    default: str
    restart: bool
    why: str
    source: str
    provenance: str
    topic: str


@dataclass(frozen=True)
class BudgetItem:
    """A service's share of the host: the memory limit of its container, and its CPU limit."""

    service: str
    memory: Bytes
    cpus: float


@dataclass(frozen=True)
class Connections:
    """How `max_connections` is divided. `pool_size` and `max_overflow` are per worker.

    `app_ceiling` is what `app_total` comes to before it is rounded down to whole connections for each worker.
    `reserved` has those of the administrator and of all other roles, with `report` for reports.
    Behind a pooler `app_total` counts at the server, and the pools count as clients: `pooler_clients` is how many it
    takes, `pooler_servers` how many of `app_total` it opens; both are 0 without one.
    """

    max_connections: int
    workers: int
    pool_size: int
    max_overflow: int
    app_total: int
    reserved: int
    headroom: int
    upper_bound: int
    app_ceiling: float
    report: int = 0
    pooler_clients: int = 0
    pooler_servers: int = 0


@dataclass(frozen=True)
class Role:
    """A database role: its connection limit and the settings that ALTER ROLE gives it."""

    name: str
    connection_limit: int
    settings: Mapping[str, str]


class Verdict(StrEnum):
    """Whether the worst case fits the limit."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class MemoryItem:
    """One line of the proof: at most `size` bytes, of which `typical` are in use on an ordinary day."""

    name: str
    size: Bytes
    typical: Bytes
    formula: str


@dataclass(frozen=True)
class MemoryProof:
    """Everything PostgreSQL may use at once against the limit of its container."""

    limit: Bytes
    items: tuple[MemoryItem, ...]
    verdict: Verdict
    fix: str | None = None

    @property
    def worst_case(self) -> Bytes:
        """Sum of all items, in bytes."""
        return Bytes(sum(item.size for item in self.items))

    @property
    def typical(self) -> Bytes:
        """Sum of what is in use on an ordinary day, in bytes."""
        return Bytes(sum(item.typical for item in self.items))


@dataclass(frozen=True)
class PoolSettings:
    """The app's side of its connections; `statement_timeout` 0 means none."""

    timeout_seconds: int
    recycle_seconds: int
    pre_ping: bool
    connect_timeout_seconds: int
    keepalives_idle_seconds: int
    prepared_statements: int
    statement_timeout: Millis


@dataclass(frozen=True)
class Sizing:
    """Everything that the renderer needs, and every reason that `stackctl size` shows."""

    profile: HardwareProfile
    budget: tuple[BudgetItem, ...]
    connections: Connections
    pool: PoolSettings
    roles: tuple[Role, ...]
    parameters: tuple[Parameter, ...]
    memory: MemoryProof
    shm_size: Bytes
    stop_grace_seconds: int
    warnings: tuple[Problem, ...]

    def value(self, name: str) -> str:
        """The value of the parameter `name`; KeyError where it is left at its default."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter.value
        raise KeyError(name)

    def share(self, service: str) -> BudgetItem | None:
        """The budget of `service`, None where the profile is too small for it."""
        return next((item for item in self.budget if item.service == service), None)
