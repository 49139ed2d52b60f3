"""Settings of one process, read once from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sqlalchemy.engine import URL

from app import connection_string, server_options
from app.cached_routes import seconds_by_route
from app.environment import SettingsError, boolean, integer, seconds

Pooler = Literal["none", "pgbouncer"]

# Whether a pooler can keep statements depends on its version, so it must be said.
PREPARED_STATEMENTS: dict[Pooler, int] = {"none": 100, "pgbouncer": 0}


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
    server_options: Mapping[str, str]
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
    pooler = _pooler(environ)
    return Settings(
        url=connection_string.parse("DATABASE_URL", environ.get("DATABASE_URL", "")),
        password_file=_password_file(environ),
        pool_size=integer(environ, "DB_POOL_SIZE", 5, least=1),
        max_overflow=integer(environ, "DB_MAX_OVERFLOW", 5),
        pool_timeout_seconds=seconds(environ, "DB_POOL_TIMEOUT", 30.0),
        pool_recycle_seconds=integer(environ, "DB_POOL_RECYCLE", 1800, least=1),
        pool_pre_ping=boolean(environ, "DB_POOL_PRE_PING", default=True),
        statement_timeout_ms=integer(environ, "PG_STATEMENT_TIMEOUT", 30_000),
        connect_timeout_seconds=integer(environ, "PG_CONNECT_TIMEOUT", 10, least=1),
        keepalives_idle_seconds=integer(environ, "PG_KEEPALIVES_IDLE", 30, least=1),
        prepared_statements=integer(environ, "PG_PREPARED_STATEMENT_CACHE", PREPARED_STATEMENTS[pooler]),
        pooler=pooler,
        server_options=_server_options(environ, pooler),
        list_cache=seconds_by_route("APP_LIST_CACHE", environ.get("APP_LIST_CACHE", "")),
    )


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


def _server_options(environ: Mapping[str, str], pooler: Pooler) -> dict[str, str]:
    found = server_options.parse("PG_OPTIONS", environ.get("PG_OPTIONS", ""))
    if found and pooler != "none":
        # It refuses them at the start of a connection, and a SET would stay for the next client.
        names = ", ".join(found)
        raise SettingsError(f"PG_OPTIONS cannot pass PgBouncer; set {names} with ALTER ROLE ... SET and leave it empty")
    return found
