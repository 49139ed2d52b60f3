"""Databases made from a template, and gunicorn processes that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.migrate import migrate as bring_up
from app.settings import from_environment
from running_app import Database, Serve, Served, migrate, start
from running_postgres import PASSWORD, Postgres, running_postgres, wait_until


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


_numbers = count(1)


@pytest.fixture(scope="session")
def migrated(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a template at the newest revision."""
    password_file = tmp_path_factory.mktemp("template") / "password"
    password_file.write_text(PASSWORD)
    postgres.execute("CREATE DATABASE migrated TEMPLATE empty OWNER owner")
    done = migrate(Database(postgres, "migrated", password_file).environ("owner"))
    assert done.returncode == 0, done.stderr
    return "migrated"


@contextmanager
def clone(postgres: Postgres, template: str, directory: Path) -> Iterator[Database]:
    # Default privileges are copied with the template.
    name, password_file = f"test_{next(_numbers)}", directory / "password"
    password_file.write_text(PASSWORD + "\n")
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER owner STRATEGY file_copy")
    yield Database(postgres, name, password_file)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(postgres: Postgres, tmp_path: Path) -> Iterator[Database]:
    """A provisioned database without tables."""
    with clone(postgres, "empty", tmp_path) as database:
        yield database


@pytest.fixture
def database(postgres: Postgres, migrated: str, tmp_path: Path) -> Iterator[Database]:
    """A database at the newest revision."""
    with clone(postgres, migrated, tmp_path) as database:
        yield database


@pytest.fixture(params=["postgresql", "sqlite"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    """The application on each kind of database, in this process."""
    if request.param == "sqlite":
        settings = from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"})
        bring_up(settings, 5)
    else:
        settings = from_environment(request.getfixturevalue("database").environ())
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Serve]:
    """Start gunicorn with the given environment, without waiting for anything."""
    running: list[Served] = []

    def begin(environ: dict[str, str], workers: int = 1, **more: str) -> Served:
        running.append(start(tmp_path, len(running), workers, environ | more))
        return running[-1]

    yield begin
    for served in running:
        served.end()


@pytest.fixture
def serve(launch: Serve) -> Serve:
    """Start gunicorn with the given environment and wait until it is ready."""

    def begin(environ: dict[str, str], workers: int = 1, **more: str) -> Served:
        served = launch(environ, workers, **more)
        wait_until(served.ready, 20)
        return served

    return begin
