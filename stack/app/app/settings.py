"""Settings of one process, read once from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.cached_routes import seconds_by_route
from app.environment import SettingsError, boolean, integer, seconds

Pooler = Literal["none", "pgbouncer"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the application takes from outside."""

    url: URL
    password_file: Path | None
    pool_size: int
    max_overflow: int
    pool_timeout_seconds: float
    pool_recycle_seconds: int
    pool_pre_ping: bool
    statement_timeout_ms: int
    connect_timeout_seconds: int
    keepalives_idle_seconds: int
    prepared_statements: int
    pooler: Pooler
    list_cache: Mapping[str, float]

    @property
    def is_sqlite(self) -> bool:
        """SQLite is for development: no timeouts, no roles, one writer."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def pool_capacity(self) -> int:
        """Connections one process may hold at the same time."""
        return self.pool_size + self.max_overflow

    @property
    def endpoint(self) -> str:
        """Where the database is, without user or password: what an error message may show."""
        if self.is_sqlite:
            return str(self.url.database)
        return f"{self.url.host or 'local socket'}:{self.url.port or 5432}/{self.url.database}"


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the settings; raise SettingsError for the first variable that is wrong."""
    url = _url(environ)
    return Settings(
        url=url,
        password_file=_password_file(environ),
        pool_size=integer(environ, "DB_POOL_SIZE", 5, least=1),
        max_overflow=integer(environ, "DB_MAX_OVERFLOW", 5),
        pool_timeout_seconds=seconds(environ, "DB_POOL_TIMEOUT", 30.0),
        pool_recycle_seconds=integer(environ, "DB_POOL_RECYCLE", 1800, least=1),
        pool_pre_ping=boolean(environ, "DB_POOL_PRE_PING", default=True),
        statement_timeout_ms=integer(environ, "PG_STATEMENT_TIMEOUT", 30_000),
        connect_timeout_seconds=integer(environ, "PG_CONNECT_TIMEOUT", 10, least=1),
        keepalives_idle_seconds=integer(environ, "PG_KEEPALIVES_IDLE", 30, least=1),
        prepared_statements=integer(environ, "PG_PREPARED_STATEMENT_CACHE", 100),
        pooler=_pooler(environ),
        list_cache=seconds_by_route("APP_LIST_CACHE", environ.get("APP_LIST_CACHE", "")),
    )


def _url(environ: Mapping[str, str]) -> URL:
    text = environ.get("DATABASE_URL", "")
    if not text:
        raise SettingsError("DATABASE_URL is not set; example: postgresql+psycopg://app@127.0.0.1:5432/app")
    try:
        url = make_url(text)
    except ArgumentError as error:
        # The text is not repeated: it may hold a password.
        raise SettingsError("DATABASE_URL is not a database URL") from error
    if url.password is not None:
        raise SettingsError("DATABASE_URL carries a password; write it to a file and name it in DB_PASSWORD_FILE")
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() != "sqlite":
        raise SettingsError(f"DATABASE_URL must begin with postgresql+psycopg or sqlite, not {url.drivername}")
    if url.database in (None, "", ":memory:"):
        # Every pooled connection would see a database of its own.
        raise SettingsError("DATABASE_URL must name a file for SQLite")
    return url


def _password_file(environ: Mapping[str, str]) -> Path | None:
    text = environ.get("DB_PASSWORD_FILE", "")
    if not text:
        return None
    path = Path(text)
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"DB_PASSWORD_FILE cannot be read: {path}: {type(error).__name__}") from error
    return path


def _pooler(environ: Mapping[str, str]) -> Pooler:
    value = environ.get("DB_POOLER") or "none"
    if value not in ("none", "pgbouncer"):
        raise SettingsError(f"DB_POOLER must be none or pgbouncer, not {value!r}")
    return cast(Pooler, value)
