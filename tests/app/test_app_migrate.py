"""Migrations: repeatable, safe side by side, clear when the database stays away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from app.engine import for_migrations
from app.migrate import LOCK_KEY, configuration
from app.migrate import migrate as bring_up
from app.models import SCHEMA_REVISION, Base
from app.settings import Settings, from_environment
from running_app import APP, Database, Serve, migrate
from running_postgres import free_port, wait_until


def test_the_constant_is_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == SCHEMA_REVISION


def test_twice(empty_database: Database) -> None:
    first, second = migrate(empty_database.environ("owner")), migrate(empty_database.environ("owner"))
    assert (first.returncode, second.returncode) == (0, 0)
    assert "from revision none to 0002" in first.stdout
    assert "at revision 0002, nothing to do" in second.stdout
    assert empty_database.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'tools'") == [("owner",)]


def test_two_at_once(empty_database: Database) -> None:
    environ = dict(os.environ) | empty_database.environ("owner")
    command = [sys.executable, "-m", "app.migrate"]
    runs = [subprocess.Popen(command, cwd=APP, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted(run.communicate(timeout=30)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert "nothing to do" in printed[0]
    assert "to 0002" in printed[1]


def test_a_lock_that_stays_taken_is_named(empty_database: Database) -> None:
    with empty_database.postgres.connect(empty_database.name) as other:
        other.execute(f"SELECT pg_advisory_lock({LOCK_KEY})")
        run = migrate(empty_database.environ("owner") | {"MIGRATE_TIMEOUT": "0.5"})
    assert run.returncode == 1
    assert "another migration holds the lock" in run.stderr


def test_no_database_is_said_with_its_address(tmp_path: Path) -> None:
    port = free_port()
    run = migrate({"DATABASE_URL": f"postgresql://owner@127.0.0.1:{port}/app", "MIGRATE_TIMEOUT": "0.5"})
    assert run.returncode == 1
    assert f"no database at 127.0.0.1:{port}/app" in run.stderr
    assert "Connection refused" in run.stderr
    assert "Traceback" not in run.stderr


def test_through_a_pooler_is_refused(empty_database: Database) -> None:
    run = migrate(empty_database.environ("owner") | {"DB_POOLER": "pgbouncer"})
    assert run.returncode == 1
    assert "DB_POOLER must be none" in run.stderr


def test_sqlite(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"}
    assert [migrate(environ).returncode, migrate(environ).returncode] == [0, 0]


def test_not_ready_before_the_migration(empty_database: Database, launch: Serve) -> None:
    served = launch(empty_database.environ())
    wait_until(lambda: served.client.get("/healthz").status_code == 200)
    before = wait_until(lambda: served.client.get("/readyz"))
    assert before.status_code == 503
    assert before.headers["content-type"] == "application/problem+json"
    assert "revision none, this program needs 0002" in before.json()["detail"]
    migrate(empty_database.environ("owner"))
    assert served.ready()


@pytest.mark.parametrize("statement", ["SELECT 1 FROM tools", "DELETE FROM tools"])
def test_the_application_may_use_what_the_owner_made(database: Database, statement: str) -> None:
    database.execute(f"SET ROLE app; {statement}")


@pytest.fixture(params=["postgresql", "sqlite"])
def owner(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An empty database of each kind, as its owner."""
    if request.param == "sqlite":
        return from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"})
    return from_environment(request.getfixturevalue("empty_database").environ("owner"))


def go(connection: Connection, direction: Callable[[Config, str], None], revision: str) -> set[str]:
    """Change the revision and return the tables that are left."""
    config = configuration()
    config.attributes["connection"] = connection
    direction(config, revision)
    connection.commit()
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_down_and_up_again(owner: Settings) -> None:
    bring_up(owner, 5)
    with for_migrations(owner).connect() as connection:
        assert go(connection, command.downgrade, "0001") == {"tools"}
        assert go(connection, command.upgrade, "head") == {"tools", "resources", "teams", "members"}
        assert go(connection, command.downgrade, "base") == set()


def test_an_upgrade_keeps_the_tools(owner: Settings) -> None:
    with for_migrations(owner).connect() as connection:
        go(connection, command.upgrade, "0001")
        connection.execute(text("INSERT INTO tools (name) VALUES ('old')"))
        go(connection, command.upgrade, "head")
        assert connection.scalar(text("SELECT name FROM tools")) == "old"


def test_the_migrations_make_what_the_models_say(owner: Settings) -> None:
    bring_up(owner, 5)
    with for_migrations(owner).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_each_foreign_key_has_an_index(owner: Settings) -> None:
    bring_up(owner, 5)
    with for_migrations(owner).connect() as connection:
        schema = inspect(connection)
        for table in ("resources", "members"):
            indexed = [found["column_names"][0] for found in schema.get_indexes(table)]
            indexed += [found["column_names"][0] for found in schema.get_unique_constraints(table)]
            assert [key["constrained_columns"][0] in indexed for key in schema.get_foreign_keys(table)] == [True]
