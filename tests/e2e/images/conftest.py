"""A real engine, the images built by the product's own code, and containers that are removed afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.images.docker_client import Docker, ShellRunner
from promised_engine import require_engine
from stackctl import assets
from stackctl.images import catalog, debian
from stackctl.images.host import find_mirrors, find_secrets

STACK = assets.root() / "stack"


@pytest.fixture(scope="session")
def engine() -> ShellRunner:
    """A runner on a machine whose engine answers; elsewhere the test is left out, unless one was promised."""
    runner = ShellRunner()
    require_engine(lambda: runner.run(["docker", "info"], check=False, timeout=30).returncode == 0)
    return runner


@pytest.fixture(scope="session")
def base(engine: ShellRunner) -> ShellRunner:
    """The engine with the base image in it."""
    root = Path("/")
    debian.ensure_base(engine, STACK / "images" / "base", find_mirrors(root), print)
    return engine


@pytest.fixture(scope="session")
def built(base: ShellRunner) -> dict[str, str]:
    """Service name to reference, every image built."""
    recipes = catalog.recipes(STACK)
    images = catalog.images(recipes, catalog.hashes(recipes))
    debian.ensure_built(base, debian.build_plan(images, debian.proxy_arguments(os.environ)), print)
    return {image.service: image.reference for image in images}


@pytest.fixture(scope="session")
def app_options() -> list[str]:
    """What this machine lends to the build of an app."""
    return debian.secret_arguments(find_secrets(Path("/"), Path.home(), os.environ))


@pytest.fixture
def docker(engine: ShellRunner) -> Iterator[Docker]:
    """Docker commands; everything made through it is removed at the end."""
    client = Docker(runner=engine)
    yield client
    client.clean()
