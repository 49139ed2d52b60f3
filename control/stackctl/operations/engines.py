"""Which engine a project runs on: decided once, recorded, and told with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine, StackError
from stackctl.operations.project import Opened
from stackctl.operations.state import State

DOCKER, EMBEDDED, PUBLIC = "docker", "embedded", "public"


@dataclass(frozen=True)
class Choice:
    """An engine, where its images come from (empty for none), and why it was chosen."""

    engine: str
    images: str
    reason: str


def choose(opened: Opened, runner: Runner) -> Choice:
    """The engine that was asked for, or recorded, or else the best that can run here."""
    asked, state = opened.settings.engine, opened.state
    images = opened.settings.images or (state.images if state else "") or PUBLIC
    if asked == EMBEDDED:
        return Choice(EMBEDDED, "", "asked for")
    if asked == DOCKER:
        return Choice(DOCKER, images, "asked for")
    if state is not None:
        return Choice(
            state.engine,
            images if state.engine == DOCKER else "",
            f"recorded by the first up: {state.reason}",
        )
    return _best(opened, runner, images)


def _best(opened: Opened, runner: Runner, images: str) -> Choice:
    from stackctl.engine.docker.containers import engine_version
    from stackctl.engine.docker.images import reachable

    version = engine_version()
    if version is None:
        return Choice(EMBEDDED, "", "no Docker Engine answers")
    shown = ".".join(map(str, version))
    if not compose_version(runner):
        return Choice(EMBEDDED, "", f"Docker Engine {shown} answers, but it has no Compose plugin")
    if images == PUBLIC and not reachable(runner, opened.settings.profile.postgres):
        return Choice(EMBEDDED, "", f"Docker Engine {shown} answers, but the registry of its images does not")
    return Choice(DOCKER, images, f"Docker Engine {shown} answers")


def compose_version(runner: Runner) -> str:
    """Version of the Compose plugin, empty where there is none."""
    try:
        done = runner.run(["docker", "compose", "version", "--short"], check=False, quiet=True, timeout=20)
    except StackError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def open_engine(opened: Opened, choice: Choice, runner: Runner) -> Engine:
    """The engine object of a choice. Docker's libraries are loaded only here."""
    postgres, ports = opened.settings.profile.postgres, opened.settings.ports
    if choice.engine == EMBEDDED:
        from stackctl.engine.embedded.engine import EmbeddedEngine

        return EmbeddedEngine(opened.project, runner, postgres, ports)
    from stackctl.engine.docker.containers import engine_version
    from stackctl.engine.docker.engine import DockerEngine

    if engine_version() is None:
        raise NoEngine("Docker Engine does not answer", hint="start it; stackctl doctor says more")
    return DockerEngine(opened.project, runner, postgres, ports, choice.images)


def recorded_engine(opened: Opened, runner: Runner) -> Engine:
    """The engine of a project that was brought up before. Raises NoEngine where it never was."""
    if opened.state is None:
        raise NoEngine(f"nothing was brought up in {opened.project.folder} yet", hint="stackctl up")
    state: State = opened.state
    return open_engine(opened, Choice(state.engine, state.images, state.reason), runner)
