"""From a request to a sized project: settings, catalogue, sizing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from stackctl import assets
from stackctl.engine.project import Project
from stackctl.errors import Problem, ProfileError, StackError
from stackctl.hardware.detect import detect
from stackctl.hardware.model import PORTABLE_BUILD, Build, HardwareProfile, Host
from stackctl.images.builds import declared_build
from stackctl.operations.build import given_build, refuse_unbuilt
from stackctl.operations.own_app import option_problems
from stackctl.operations.result import Request
from stackctl.operations.state import State, default_name, load
from stackctl.settings.backup import INSIDE
from stackctl.settings.flags import read_flags
from stackctl.settings.layers import Layer
from stackctl.settings.model import Settings
from stackctl.settings.pins import check_pins
from stackctl.settings.resolve import resolve
from stackctl.sizing.catalog import Catalog, parse_catalog
from stackctl.sizing.model import REFUSED, Sizing
from stackctl.sizing.plan import size
from stackctl.units import human

NEWEST = 18
DEBIAN = 17
PUBLIC = "public"
# A machine sold as 16 GiB shows less, as firmware and kernel keep some; a 200 GB disk holds 186 GiB.
NOMINAL_PERCENT = 108
# Flags that make the profile; engine, images and version are remembered by themselves.
_SIZES = ("ram", "cpus", "storage", "disk", "workload", "app_workers", "connections", "pooler", "wal_rate")
REMEMBERED = (*_SIZES, "disk_limit", "fit")


@dataclass(frozen=True)
class Opened:
    """A project with its settings, as found on disk and asked for."""

    project: Project
    settings: Settings
    state: State | None
    host: Host
    request: Request


@dataclass(frozen=True)
class Recorded:
    """A project as its last `up` recorded it. `warnings` are what is wrong with its settings now."""

    project: Project
    state: State | None
    warnings: tuple[Problem, ...]


def open_project(request: Request) -> Opened:
    """Read the project; writes nothing. Raises ProfileError with everything that is wrong."""
    folder = project_folder(request)
    return _opened(request, folder, _own_state(folder))


def open_for_files(request: Request) -> tuple[Opened, tuple[Problem, ...]]:
    """The project, fitted to the host where that was asked for, and what there is to say of its profile."""
    opened = open_project(request)
    warnings = (*opened.settings.warnings, *larger_than_host(opened.settings.profile, opened.host))
    if opened.settings.fit:
        opened = replace(opened, settings=fitted(opened.settings, opened.host))
    return opened, warnings


def open_recorded(request: Request) -> Recorded:
    """Read what `up` recorded, for commands that must work on a running stack whatever its settings have become."""
    folder = project_folder(request)
    state = _own_state(folder)
    if state is not None and state.engine == INSIDE:
        # What the container may use of the machine says nothing of the stack.
        return Recorded(Project(state.name, folder), state, ())
    try:
        return Recorded(_opened(request, folder, state).project, state, ())
    except StackError as error:
        name = state.name if state else default_name(folder)
        return Recorded(Project(name, folder), state, error.problems)


def project_folder(request: Request) -> Path:
    """The project's folder, without links. Raises ProfileError where there is none."""
    folder = Path(request.project)
    if not folder.is_dir():
        raise ProfileError(f"{folder}: no such folder", hint="make it first, or give another one with --project")
    return folder.resolve()


def _opened(request: Request, folder: Path, state: State | None) -> Opened:
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
    if state is not None and settings.name != state.name:
        raise ProfileError(
            f"this project was brought up as {state.name}, not {settings.name}",
            # After a plain `down` the data is still there, under the old name.
            hint="take the new name out, or let go of the old data first: stackctl down --destroy-data",
        )
    settings = replace(settings, warnings=(*settings.warnings, *dropped_flags(request, state)))
    engine, source = recorded_or_asked(settings, state), images_of(settings, state)
    settings = with_version(settings, state, engine, source)
    return Opened(_project(settings, folder), settings, state, host, as_last_time(request, state))


def _project(settings: Settings, folder: Path) -> Project:
    return Project(settings.name, folder, settings.backup.repository, settings.backup.pgbackrest)


def _own_state(folder: Path) -> State | None:
    """The folder's state. Raises ProfileError where it came with a copy, as the stack is then the original's."""
    state = load(folder / ".stackctl")
    if state is None or not state.folder or state.folder == str(folder):
        return state
    other = Path(state.folder)
    if _same_name(other, state.name) and not other.samefile(folder):
        raise ProfileError(
            f"{folder} is a copy of {other}, which has the stack {state.name}",
            hint="a copy needs its own stack: remove its .stackctl",
        )
    return state


def _same_name(folder: Path, name: str) -> bool:
    try:
        state = load(folder / ".stackctl")
    except ProfileError:
        # A state that cannot be read may well be the original's.
        return True
    return state is not None and state.name == name


def images_of(settings: Settings, state: State | None) -> str:
    """The image source that was asked for, else the recorded one, else the public one."""
    return settings.images or (state.images if state else "") or PUBLIC


def with_version(settings: Settings, state: State | None, engine: str, images: str) -> Settings:
    """The settings with the PostgreSQL version for `engine`, where none was asked for.

    It is the version of the data that the engine has, or the newest that can be had for it. `auto`, before an engine
    was chosen, stands for Docker.
    """
    if settings.provenance["postgres"] != "default":
        return settings
    newest = DEBIAN if images == "debian" and engine != "embedded" else NEWEST
    recorded = state.versions.get(engine) if state else None
    return replace(settings, profile=replace(settings.profile, postgres=recorded or newest))


def recorded_or_asked(settings: Settings, state: State | None) -> str:
    """The engine that was asked for, else the recorded one; `auto` before the first `up`."""
    return state.engine if settings.engine == "auto" and state is not None else settings.engine


def dropped_flags(request: Request, state: State | None) -> list[Problem]:
    """A warning where a flag makes the remembered ones be forgotten, and RAM or CPUs are detected anew."""
    if state is None or not _has_profile(request):
        return []
    gone = [key for key, text in state.flags.items() if text and not request.flags.get(key)]
    words = " ".join(f"--{key.replace('_', '-')} {state.flags[key]}".removesuffix(" true") for key in gone)
    if not words:
        return []
    message = f"{words} of the last up no longer counts, since this command gives a profile flag of its own"
    return [Problem("flags_dropped", message, "give it again to keep it, or write it into stackctl.yaml")]


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


@cache
def catalog_for(postgres: int) -> Catalog:
    """The catalogue of the parameters of PostgreSQL `postgres`."""
    return parse_catalog(postgres, assets.read(f"config/postgres/catalog-{postgres}.tsv"))


def sized(settings: Settings, build: Build) -> Sizing:
    """The sizing of the settings. Raises ProfileError for pins that the server would refuse."""
    catalog = catalog_for(settings.profile.postgres)
    problems = [*check_pins(settings.pins, catalog, settings.origins), *option_problems(settings, catalog)]
    if problems:
        raise ProfileError.of(problems)
    pins = {catalog.spelled(name): pin for name, pin in settings.pins.items()}
    return size(settings.profile, pins, catalog, build)


def bootable(settings: Settings, build: Build) -> Sizing:
    """The sizing of files that are handed out for a server of `build`.

    Raises ProfileError where the memory proof fails, or the server would not start with them.
    """
    sizing = sized(settings, build)
    refuse_failing(sizing)
    refuse_unbuilt(settings, build)
    return sizing


def assumed_build(settings: Settings, state: State | None) -> Build:
    """The build to size for before an engine was asked: the given one, else the images'; the wheel has nothing."""
    given = given_build(settings)
    if given is not None:
        return given
    if recorded_or_asked(settings, state) == "embedded":
        return PORTABLE_BUILD
    return declared_build(images_of(settings, state))


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


def for_host(settings: Settings, host: Host) -> Settings:
    """The settings as they can run on `host`. Raises ProfileError where they are too large, unless to be fitted."""
    if settings.fit:
        return fitted(settings, host)
    settings = nominal(settings, host)
    if too_large := larger_than_host(settings.profile, host):
        raise ProfileError.of(too_large)
    return settings


def nominal(settings: Settings, host: Host) -> Settings:
    """The settings with RAM and disk lowered to the host's, with a warning, where they are a little larger."""
    profile, warnings = settings.profile, []
    for key in ("ram", "disk"):
        wanted, there = getattr(profile, key), getattr(host, key)
        if there < wanted and wanted * 100 <= there * NOMINAL_PERCENT:
            text = f"profile.{key}: {human(wanted)} is taken as the {human(there)} that this host shows of it"
            warnings.append(Problem(f"nominal_{key}", text, f"--{key} with what the host has says the same"))
            profile = replace(profile, **{key: there})
    return replace(settings, profile=profile, warnings=(*settings.warnings, *warnings))


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
    """Raise ProfileError where the memory proof fails, or the pools do not fit."""
    faults = [warning for warning in sizing.warnings if warning.code in REFUSED]
    if faults:
        raise ProfileError.of(faults)
