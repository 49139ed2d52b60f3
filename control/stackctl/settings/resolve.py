"""Settings from all layers: flag > environment > `.env` > stackctl.yaml > last up > detected or default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import Backlog, DiskLimit, HardwareProfile, Host, Pooler, Wal, Workload
from stackctl.settings import pins as pin_values
from stackctl.settings import values
from stackctl.settings.alerts import alert_settings
from stackctl.settings.app_section import read_app
from stackctl.settings.backup import BACKLOG, WAL, backup_settings
from stackctl.settings.backup import backlog as read_backlog
from stackctl.settings.backup import wal as read_wal
from stackctl.settings.environment import read_dotenv, read_environment
from stackctl.settings.flags import read_flags
from stackctl.settings.layers import DEFAULT, DETECTED, PROJECT_FILE, Given, Layer, merge, recorded
from stackctl.settings.model import Ports, Settings
from stackctl.settings.values import Fault
from stackctl.sizing.model import Pin
from stackctl.units import GIB, Bytes, human

_Value = TypeVar("_Value")


@dataclass
class _Reading:
    """The merged layers while they are read: what was wrong, and who decided each key."""

    given: Layer
    problems: list[Problem] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)

    def take(self, key: str, read: Callable[[str], _Value], fallback: _Value, source: str = DEFAULT) -> _Value:
        """The value of `key`; `fallback` where it is not given, or cannot be used, which is noted."""
        given = self.given.keys.get(key)
        self.provenance[key] = given.layer if given else source
        return self.check(given, read, fallback) if given else fallback

    def check(self, given: Given, read: Callable[[str], _Value], fallback: _Value) -> _Value:
        """What `read` makes of the given text; `fallback` where that fails, which is noted."""
        try:
            return read(given.text)
        except Fault as fault:
            self.problems.append(Problem("bad_value", f"{given.origin}: {fault}", fault.hint))
            return fallback


def resolve(
    project: Path,
    flags: Mapping[str, str | None],
    sets: Sequence[str],
    environ: Mapping[str, str],
    host: Host,
    *,
    default_name: str,
    default_postgres: int,
    last: Layer | None = None,
) -> Settings:
    """The settings of the project at `project`; `last` is what the flags of the last `up` gave.

    Raises ProfileError with all that is wrong, UsageError for flags that contradict each other.
    """
    given, problems, warnings = _gather(project, flags, sets, environ, last or Layer())
    reading = _Reading(given, problems)
    profile = _profile(reading, host, default_postgres)
    name = reading.take("name", values.name, default_name)
    engine = reading.take("engine", values.engine, "auto")
    images = reading.take("images", values.images, None)
    ports = _ports(reading, profile.pooler)
    fit = reading.take("fit", values.boolean, False)
    build = reading.take("build", values.build, None)
    app, wrong = read_app(given.keys, reading.check)
    problems += wrong
    if "max_connections" in given.pins:
        reading.check(given.pins["max_connections"], values.connections, 0)
    if problems:
        raise ProfileError.of(problems)
    pins = {name: Pin(_spelled(name, pin.text), pin.layer) for name, pin in given.pins.items()}
    origins = {name: pin.origin for name, pin in given.pins.items()}
    origins |= {key: each.origin for key, each in given.keys.items() if key.startswith(("app.", "ports.", "pool."))}
    backup = backup_settings(given.keys, project)
    profile = replace(profile, scheduled=backup.scheduled, pgbackrest=backup.pgbackrest is not None)
    alerts, seen = alert_settings(given.keys), reading.provenance
    return Settings(
        name, profile, seen, pins, engine, images, ports, fit, warnings, origins, build, app, backup, alerts
    )


def _gather(
    project: Path, flags: Mapping[str, str | None], sets: Sequence[str], environ: Mapping[str, str], last: Layer
) -> tuple[Layer, list[Problem], tuple[Problem, ...]]:
    problems: list[Problem] = []
    warnings: list[Problem] = []

    def dotenv() -> Layer:
        layer, found = read_dotenv(project)
        warnings.extend(found)
        return layer

    readers: tuple[Callable[[], Layer], ...] = (
        lambda: recorded(last),
        lambda: _project_file(project),
        dotenv,
        lambda: read_environment(environ),
        lambda: read_flags(flags, sets),
    )
    layers = []
    for read in readers:
        try:
            layers.append(read())
        except ProfileError as error:
            problems.extend(error.problems)
    return merge(layers), problems, tuple(warnings)


def _project_file(project: Path) -> Layer:
    path = project / PROJECT_FILE
    if not path.exists() and not path.is_symlink():
        return Layer()
    # pydantic and PyYAML take longer to import than sizing takes to run.
    from stackctl.settings.project_file import load

    return load(path)


def _profile(reading: _Reading, host: Host, default_postgres: int) -> HardwareProfile:
    ram = reading.take("ram", values.ram, host.ram, DETECTED)
    cpus = reading.take("cpus", values.cpus, host.cpus, DETECTED)
    disk = reading.take("disk", values.disk, host.disk, DETECTED)
    _small_host(reading, "ram", host.ram, values.MIN_RAM)
    _small_host(reading, "disk", host.disk, values.MIN_DISK)
    return HardwareProfile(
        ram=ram,
        cpus=cpus,
        storage=reading.take("storage", values.storage, host.storage, DETECTED),
        disk=disk,
        workload=reading.take("workload", values.workload, Workload.WEB),
        postgres=reading.take("postgres", values.postgres, default_postgres),
        app_workers=reading.take("app_workers", values.app_workers, default_workers(ram, cpus)),
        pooler=reading.take("pooler", values.pooler, Pooler.NONE),
        wal_rate=reading.take("wal_rate", values.wal_rate, Bytes(0)),
        disk_limit=reading.take("disk_limit", values.disk_limit, DiskLimit()),
        # Their texts were checked with the project file, and nothing else gives them.
        wal=read_wal(reading.given.keys[WAL].text) if WAL in reading.given.keys else Wal.ARCHIVE,
        backlog=read_backlog(reading.given.keys[BACKLOG].text) if BACKLOG in reading.given.keys else Backlog.DROP,
    )


def _small_host(reading: _Reading, key: str, size: Bytes, low: Bytes) -> None:
    if reading.provenance[key] == DETECTED and size < low:
        message = f"this host: {key} of {human(size)} is less than {human(low)}"
        hint = f"use a larger host, or plan for one with --{key}"
        reading.problems.append(Problem("small_host", message, hint))


def default_workers(ram: Bytes, cpus: int) -> int:
    """Workers of the app where none are given: bounded by RAM on small machines (requirement S12)."""
    if ram < 2 * GIB:
        return 1
    if ram < 4 * GIB:
        return 2
    return min(16, max(4, cpus), ram // GIB)


def _ports(reading: _Reading, pooler: Pooler) -> Ports:
    defaults = {entry.name: int(str(entry.default)) for entry in fields(Ports)}
    chosen = {name: reading.take(f"ports.{name}", values.port, port) for name, port in defaults.items()}
    used = {name: port for name, port in chosen.items() if name != "pgbouncer" or pooler is Pooler.PGBOUNCER}
    for port, count in Counter(used.values()).items():
        if count > 1:
            names = " and ".join(name for name, taken in used.items() if taken == port)
            message = f"{PROJECT_FILE}: ports: {names} are both {port}"
            reading.problems.append(Problem("bad_value", message, "give each service a port of its own"))
    return Ports(**chosen)


def _spelled(name: str, text: str) -> str:
    if name not in pin_values.APP_PINS:
        return text.strip()
    try:
        return pin_values.app_value(name, text)
    except Fault:
        # check_pins says what is wrong with it, together with what the catalogue finds.
        return text
