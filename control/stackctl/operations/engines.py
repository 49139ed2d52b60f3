"""Which engine a project runs on: decided once, recorded, and told with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from stackctl.backup.generation import Generations
from stackctl.engine.base import Engine
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine, StackError
from stackctl.operations.project import DEBIAN, NEWEST, PUBLIC, Opened, Recorded, images_of
from stackctl.settings.app_section import AppSection
from stackctl.settings.backup import INSIDE
from stackctl.settings.model import Ports

DOCKER, EMBEDDED = "docker", "embedded"


@dataclass(frozen=True)
class Choice:
    """An engine, where its images come from (empty for none), and why it was chosen."""

    engine: str
    images: str
    reason: str


def choose(opened: Opened, runner: Runner) -> Choice:
    """The engine that was asked for, or recorded, or else the best that can run here."""
    asked, state = opened.settings.engine, opened.state
    images = images_of(opened.settings, state)
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

    if opened.settings.app.own and not opened.settings.app.image:
        return Choice(EMBEDDED, "", "stackctl.yaml has app.command and no app.image")
    version = engine_version()
    if version is None:
        return Choice(EMBEDDED, "", docker_denied() or "no Docker Engine answers")
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


def docker_problem() -> str:
    """Why no Docker Engine can be used, as a sentence; empty where one answers."""
    from stackctl.engine.docker.containers import engine_problem

    problem = engine_problem()
    silent = problem == "does not answer"
    return f"Docker Engine{' ' if silent else ': '}{problem}" if problem else ""


def docker_denied() -> str:
    """The sentence for an engine that is there and refuses this user; empty otherwise."""
    problem = docker_problem()
    return problem if "permission" in problem else ""


def open_engine(opened: Opened, choice: Choice, runner: Runner) -> Engine:
    """The engine object of a choice."""
    settings, data = opened.settings, opened.state.data if opened.state else {}
    stack = _Stack(settings.profile.postgres, settings.ports, settings.app, _generation(data, choice))
    return _engine(opened.project, choice, stack, runner)


def recorded_engine(opened: Opened | Recorded, runner: Runner) -> Engine:
    """The engine of a project that was brought up before, as it was then. Raises NoEngine where it never was."""
    state = opened.state
    if state is None:
        raise NoEngine(f"nothing was brought up in {opened.project.folder} yet", hint="stackctl up")
    choice = Choice(state.engine, state.images or PUBLIC, state.reason)
    newest = DEBIAN if state.images == "debian" and state.engine == DOCKER else NEWEST
    names = {entry.name for entry in fields(Ports)}
    ports = Ports(**{name: port for name, port in state.ports.items() if name in names})
    version = state.versions.get(state.engine, newest)
    return _engine(opened.project, choice, _Stack(version, ports, state.app, _generation(state.data, choice)), runner)


@dataclass(frozen=True)
class _Stack:
    """What an engine is told of the stack that it runs."""

    postgres: int
    ports: Ports
    app: AppSection
    generation: int


def _generation(data: Mapping[str, Generations], choice: Choice) -> int:
    return data.get(choice.engine, Generations()).current


def _engine(project: Project, choice: Choice, stack: _Stack, runner: Runner) -> Engine:
    """Docker's libraries are loaded only here."""
    if choice.engine == EMBEDDED:
        from stackctl.engine.embedded.scheduled import ScheduledEngine

        return ScheduledEngine(project, runner, stack.postgres, stack.ports, stack.app, stack.generation)
    if choice.engine == INSIDE:
        from stackctl.engine.inside.engine import InsideEngine

        return InsideEngine(runner, stack.postgres)
    from stackctl.engine.docker.engine import DockerEngine

    if problem := docker_problem():
        raise NoEngine(problem, hint="stackctl doctor says more; --engine embedded needs none")
    return DockerEngine(project, runner, stack.postgres, stack.ports, choice.images, stack.app, stack.generation)
