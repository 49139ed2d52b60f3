"""Brings the schema to the newest revision: `python -m app.migrate`, over a direct connection."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.backoff import delays
from app.engine import for_migrations
from app.environment import SettingsError, seconds
from app.faults import DatabaseUnavailable, fault_of
from app.settings import Settings, from_environment

# Any number will do as long as nothing else in the database takes it.
LOCK_KEY = 4_444_001


class MigrationError(Exception):
    """The schema could not be brought up to date; the message says why."""


def configuration() -> Config:
    """Return Alembic's configuration; there is no alembic.ini."""
    config = Config()
    # Alembic reads it as an ini file would be, where a bare % begins an expansion.
    folder = str(Path(__file__).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config


def migrate(settings: Settings, timeout_seconds: float) -> tuple[str | None, str | None]:
    """Return the revisions before and after; raise MigrationError when the database stays away."""
    if settings.pooler != "none":
        # A session's lock means nothing when the next statement may run in another session.
        raise MigrationError("DB_POOLER must be none: migrations need a direct connection")
    deadline = time.monotonic() + timeout_seconds
    engine = for_migrations(settings)
    with _connected(engine, settings, deadline) as connection, _locked(connection, settings, deadline):
        before = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        after = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        return before, after


@contextmanager
def _connected(engine: Engine, settings: Settings, deadline: float) -> Iterator[Connection]:
    connection = _connect(engine, settings, deadline)
    try:
        yield connection
    finally:
        connection.close()


def _connect(engine: Engine, settings: Settings, deadline: float) -> Connection:
    for delay in delays():
        try:
            return engine.connect()
        except DBAPIError as error:
            if not isinstance(fault_of(error), DatabaseUnavailable) or time.monotonic() + delay > deadline:
                raise MigrationError(f"no database at {settings.endpoint}: {error.orig}") from error
            time.sleep(delay)
    raise AssertionError("the delays never end")


@contextmanager
def _locked(connection: Connection, settings: Settings, deadline: float) -> Iterator[None]:
    if settings.is_sqlite:
        yield
        return
    for delay in delays():
        taken = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY})
        # The lock belongs to the session; the transaction must not stay open while waiting.
        connection.commit()
        if taken:
            break
        if time.monotonic() + delay > deadline:
            raise MigrationError(f"another migration holds the lock in {settings.endpoint}")
        time.sleep(delay)
    # It ends with the connection, which closes right after: nothing to release by hand.
    yield


def main(environ: Mapping[str, str]) -> int:
    """Return the exit status: 0 when the schema is up to date."""
    try:
        settings = from_environment(environ)
        before, after = migrate(settings, seconds(environ, "MIGRATE_TIMEOUT", 60.0))
    except (SettingsError, MigrationError) as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    change = f"went from revision {before or 'none'} to {after}"
    if before == after:
        change = f"is at revision {after}, nothing to do"
    sys.stdout.write(f"migrate: {settings.endpoint} {change}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
