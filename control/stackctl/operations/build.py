"""The build that PostgreSQL is sized for: said by the user, assumed, or found; and what contradicts it."""

from __future__ import annotations

from pathlib import Path, PurePath

from stackctl.errors import Problem, ProfileError
from stackctl.hardware.model import FULL_BUILD, IO_URING_MAJOR, PORTABLE_BUILD, Build
from stackctl.settings.model import Settings

# parameter and value -> the feature without which the server refuses it
_NEEDS = {
    ("wal_compression", "lz4"): "lz4",
    ("wal_compression", "zstd"): "zstd",
    ("default_toast_compression", "lz4"): "lz4",
    ("io_method", "io_uring"): "io_uring",
}


def given_build(settings: Settings) -> Build | None:
    """The build that `--build` says, None where it is not given. A folder's server is asked.

    Raises ProfileError where the folder has no server, or one of another major version.
    """
    given = settings.build
    return _probed(Path(given), settings.profile.postgres) if isinstance(given, PurePath) else given


def any_build(settings: Settings) -> Build:
    """The build for files of a server that nobody asked: they start on any, unless it is said what it has."""
    return given_build(settings) or PORTABLE_BUILD


def _probed(folder: Path, major: int) -> Build:
    from stackctl.engine.embedded.features import probe_build
    from stackctl.engine.embedded.programs import server_major
    from stackctl.engine.runner import Runner

    runner = Runner()
    found = server_major(runner, folder)
    if found is None:
        hint = "give the folder of its programs, such as /usr/lib/postgresql/17/bin"
        raise ProfileError(f"profile.build: {folder} has no program postgres that runs", hint=hint)
    if found != major:
        raise ProfileError(f"profile.build: {folder} has PostgreSQL {found}, not {major}", hint=f"--pg {found}")
    return probe_build(runner, folder)


def contradiction(settings: Settings, found: Build) -> list[Problem]:
    """A warning where `--build` says otherwise than the server `found`, which is believed."""
    try:
        given = given_build(settings)
    except ProfileError as error:
        # What is wrong with another server's folder does not keep this one from running.
        return list(error.problems)
    if given is None:
        return []
    features = [name for name in FULL_BUILD.features if settings.profile.postgres >= _since(name)]
    lacks = [name for name in features if getattr(given, name) and not getattr(found, name)]
    has = [name for name in features if getattr(found, name) and not getattr(given, name)]
    said = [f"lacks {', '.join(lacks)}"] * bool(lacks) + [f"has {', '.join(has)}"] * bool(has)
    if not said:
        return []
    text = f"profile.build: the server {' and '.join(said)}, whatever --build says"
    return [Problem("build_differs", text, "it is sized for what it has; --build is for files of other servers")]


def _since(feature: str) -> int:
    return IO_URING_MAJOR if feature == "io_uring" else 0


def refuse_unbuilt(settings: Settings, build: Build) -> None:
    """Raise ProfileError for pins without which a server of `build` would start, and with which it does not."""
    if problems := unbuilt_pins(settings, build):
        raise ProfileError.of(problems)


def unbuilt_pins(settings: Settings, build: Build) -> list[Problem]:
    """A problem for each pin that asks for a feature which `build` lacks: the server would refuse to start."""
    problems = []
    for name, pin in settings.pins.items():
        feature = _NEEDS.get((name.lower(), pin.value.strip(" '").lower()))
        if feature and not getattr(build, feature):
            origin = settings.origins.get(name, pin.provenance)
            text = f"{origin}: {name} = {pin.value} needs a server with {feature}"
            hint = f"this one has {build}; take the pin out, or say with --build what the server has"
            problems.append(Problem("not_in_build", text, hint))
    return problems
