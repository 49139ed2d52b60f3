"""Stacks of both engines: one of each for the tests that leave it as it was, and new ones for the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring_programs import MonitoringPrograms, monitoring_programs
from own_repository import own_repository
from promised_engine import require_engine
from running_stack import Stack, docker

ENGINES = ("embedded", "docker")
# The embedded engine with the oldest version of PostgreSQL, for tests that ask for it.
OLDEST = "embedded-15"
NewStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """An engine that answers; elsewhere the test is left out, unless one was promised."""
    require_engine(lambda: docker("info", seconds=30).code == 0)


@pytest.fixture(scope="session")
def monitoring(docker_engine: None) -> Iterator[MonitoringPrograms]:
    """Programs for the embedded engine, which runs what is installed."""
    with monitoring_programs() as programs:
        yield programs


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    if request.param == "docker":
        request.getfixturevalue("docker_engine")
    name: str = request.param
    return name


def on(engine: str, folder: Path) -> Stack:
    """A project on an engine, with the version that its name may say."""
    name, _, version = engine.partition("-")
    return Stack(folder, name, postgres=int(version) if version else None)


@pytest.fixture(scope="session")
def stack(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that runs; tests leave it running with the same configuration."""
    made = on(engine, tmp_path_factory.mktemp(f"shared-{engine}"))
    made.write()
    try:
        made.up()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def mine(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a backup for the tests of one file; each leaves it running on data 0."""
    made = on(engine, tmp_path_factory.mktemp(f"restore-{engine}"))
    made.write()
    try:
        made.up()
        made.add_tools("first")
        assert made.run("backup").code == 0
        yield made
    finally:
        made.remove()


@pytest.fixture
def place(stack: Stack) -> Iterator[Path]:
    """The repository of one test."""
    with own_repository(stack) as folder:
        yield folder


@pytest.fixture
def new_stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewStack]:
    """Projects that are not up yet; what they start is removed afterwards."""
    made: list[Stack] = []

    def make(engine: str, folder: Path | None = None) -> Stack:
        if engine == "docker":
            request.getfixturevalue("docker_engine")
        place = folder or tmp_path / f"project-{len(made)}"
        place.mkdir(parents=True, exist_ok=True)
        found = on(engine, place)
        found.write()
        made.append(found)
        return found

    yield make
    for stack in made:
        stack.remove()
