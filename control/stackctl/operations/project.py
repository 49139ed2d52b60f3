"""From a request to a sized project: settings, catalogue, sizing."""

from __future__ import annotations

import os
import re
import unicodedata
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl import assets
from stackctl.engine.project import Project
from stackctl.errors import Problem, ProfileError
from stackctl.hardware.detect import detect
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Build, HardwareProfile, Host, Pooler
from stackctl.operations.result import Request
from stackctl.operations.state import State, load
from stackctl.settings.flags import read_flags
from stackctl.settings.layers import Layer
from stackctl.settings.model import Settings
from stackctl.settings.pins import check_pins
from stackctl.settings.resolve import resolve
from stackctl.sizing.catalog import Catalog, parse_catalog
from stackctl.sizing.model import Sizing
from stackctl.sizing.plan import size
from stackctl.units import human

NEWEST = 18
DEBIAN = 17
# Flags that make the profile; engine, images and version are remembered by themselves.
REMEMBERED = ("ram", "cpus", "storage", "disk", "workload", "app_workers", "connections", "pooler", "fit")


@dataclass(frozen=True)
class Opened:
    """A project with its settings, as found on disk and asked for."""

    project: Project
    settings: Settings
    state: State | None
    host: Host
    request: Request


def open_project(request: Request) -> Opened:
    """Read the project; writes nothing. Raises ProfileError with everything that is wrong."""
    folder = Path(request.project)
    if not folder.is_dir():
        raise ProfileError(f"{folder}: no such folder", hint="make it first, or give another one with --project")
    folder = folder.resolve()
    state = load(folder / ".stackctl")
    host = detect(folder)
    settings = resolve(
        folder,
        request.flags,
        request.sets,
        request.environ,
        host,
        default_name=state.name if state else default_name(folder),
        default_postgres=NEWEST,
        last=last_layer(request, state),
    )
    if settings.provenance["postgres"] == "default":
        settings = replace(settings, profile=replace(settings.profile, postgres=_version(settings, state)))
    return Opened(Project(settings.name, folder), settings, state, host, as_last_time(request, state))


def _version(settings: Settings, state: State | None) -> int:
    """The recorded version of the engine's data, or the newest that its images have."""
    recorded = state.versions.get(recorded_or_asked(settings, state)) if state else None
    return recorded or (DEBIAN if settings.images == "debian" else NEWEST)


def recorded_or_asked(settings: Settings, state: State | None) -> str:
    """The engine that was asked for, else the recorded one; `auto` before the first `up`."""
    return state.engine if settings.engine == "auto" and state is not None else settings.engine


def last_layer(request: Request, state: State | None) -> Layer:
    """The profile flags of the last `up`, where the request has none of its own; they give way to files."""
    if state is None or _has_profile(request):
        return Layer()
    return read_flags(state.flags, () if request.sets else tuple(state.sets))


def _has_profile(request: Request) -> bool:
    return any(request.flags.get(key) for key in REMEMBERED)


def as_last_time(request: Request, state: State | None) -> Request:
    """The request to remember: with the profile of the last `up` where it gives none of its own.

    A new profile starts without the old one's pins; new pins alone take the place of the old ones.
    """
    if state is None or _has_profile(request):
        return request
    return replace(request, flags={**request.flags, **state.flags}, sets=request.sets or tuple(state.sets))


def default_name(folder: Path) -> str:
    """The folder's name in the letters Compose allows, and six hex digits of its path's CRC-32."""
    plain = unicodedata.normalize("NFKD", folder.name).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_") or "stack"
    return f"{word[:40]}-{zlib.crc32(os.fsencode(folder)) & 0xFFFFFF:06x}"


def catalog_for(postgres: int) -> Catalog:
    """The catalogue of the parameters of PostgreSQL `postgres`."""
    return parse_catalog(postgres, assets.read(f"config/postgres/catalog-{postgres}.tsv"))


def sized(settings: Settings, build: Build) -> Sizing:
    """The sizing of the settings. Raises ProfileError for pins that the server would refuse."""
    catalog = catalog_for(settings.profile.postgres)
    if problems := check_pins(settings.pins, catalog, settings.origins):
        raise ProfileError.of(problems)
    return size(settings.profile, settings.pins, catalog, build)


def assumed_build(settings: Settings, state: State | None) -> Build:
    """The build to size for before an engine was asked: the images have everything, the wheel does not."""
    return PORTABLE_BUILD if recorded_or_asked(settings, state) == "embedded" else FULL_BUILD


def larger_than_host(profile: HardwareProfile, host: Host) -> list[Problem]:
    """One problem for each of RAM, CPUs and disk that the profile has more of than this host."""
    pairs = (
        ("ram", profile.ram, host.ram, human(profile.ram), human(host.ram)),
        ("cpus", profile.cpus, host.cpus, str(profile.cpus), str(host.cpus)),
        ("disk", profile.disk, host.disk, human(profile.disk), human(host.disk)),
    )
    hint = "--fit scales the profile down to this host"
    return [
        Problem("larger_than_host", f"profile.{key}: {wanted} is more than this host's {there}", hint)
        for key, want, have, wanted, there in pairs
        if want > have
    ]


def fitted(settings: Settings, host: Host) -> Settings:
    """The settings with RAM, CPUs and disk lowered to the host's where they are larger."""
    profile = settings.profile
    smaller = replace(
        profile,
        ram=min(profile.ram, host.ram),
        cpus=min(profile.cpus, host.cpus),
        disk=min(profile.disk, host.disk),
    )
    return replace(settings, profile=smaller)


def refuse_failing(sizing: Sizing) -> None:
    """Raise ProfileError where the memory proof fails, the pools do not fit, or a service cannot be rendered yet."""
    if sizing.profile.pooler is Pooler.PGBOUNCER:
        raise ProfileError("profile.pooler: pgbouncer can be sized, but not run yet", hint="--pooler none")
    faults = [warning for warning in sizing.warnings if warning.code in ("memory", "pool_too_large")]
    if faults:
        raise ProfileError.of(faults)
