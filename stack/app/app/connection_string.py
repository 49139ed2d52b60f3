"""Where the database is: DATABASE_URL, checked before anything connects."""

from __future__ import annotations

from difflib import get_close_matches

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.environment import SettingsError

EXAMPLE = "postgresql+psycopg://app@127.0.0.1:5432/app"
# What libpq may be told in the URL: how to reach the server and how to trust it.
PARAMETERS = (
    "channel_binding",
    "gssencmode",
    "host",
    "hostaddr",
    "load_balance_hosts",
    "require_auth",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
)
# What has a variable of its own.
VARIABLES = {
    "connect_timeout": "PG_CONNECT_TIMEOUT",
    "keepalives_idle": "PG_KEEPALIVES_IDLE",
    "max_overflow": "DB_MAX_OVERFLOW",
    "options": "PG_OPTIONS",
    "passfile": "DB_PASSWORD_FILE",
    "password": "DB_PASSWORD_FILE",
    "pool_recycle": "DB_POOL_RECYCLE",
    "pool_size": "DB_POOL_SIZE",
    "pool_timeout": "DB_POOL_TIMEOUT",
    "prepare_threshold": "PG_PREPARED_STATEMENT_CACHE",
    "prepared_max": "PG_PREPARED_STATEMENT_CACHE",
    "statement_timeout": "PG_STATEMENT_TIMEOUT",
}


def parse(name: str, text: str) -> URL:
    """Return the URL; raise SettingsError with the variable's name, never with the text.

    The text may hold a password, where it should and where it should not.
    """
    if not text:
        raise SettingsError(f"{name} is not set; example: {EXAMPLE}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(f"{name} is not a database URL; example: {EXAMPLE}") from error
    if url.password is not None:
        raise SettingsError(f"{name} carries a password; write it to a file and name it in DB_PASSWORD_FILE")
    if url.get_backend_name() == "sqlite":
        return _sqlite(name, url)
    _scheme(name, url)
    _place(name, url)
    for key, value in url.query.items():
        _parameter(name, key, value)
    return url.set(drivername="postgresql+psycopg")


def _sqlite(name: str, url: URL) -> URL:
    if url.database in (None, "", ":memory:"):
        # Every pooled connection would see a database of its own.
        raise SettingsError(f"{name} must name a file for SQLite: sqlite:///app.db")
    return url


def _scheme(name: str, url: URL) -> None:
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        return
    if url.get_backend_name() in ("postgres", "postgresql"):
        raise SettingsError(f"{name} must begin with postgresql+psycopg: the application has no other driver")
    raise SettingsError(f"{name} must begin with postgresql+psycopg or sqlite, not {url.drivername}")


def _place(name: str, url: URL) -> None:
    if not url.host and "host" not in url.query:
        raise SettingsError(f"{name} names no host; for a local socket add ?host=/var/run/postgresql")
    if url.port is not None and not 1 <= url.port <= 65535:
        raise SettingsError(f"{name} has the port {url.port}; ports go from 1 to 65535")
    if not url.database:
        raise SettingsError(f"{name} names no database; example: {EXAMPLE}")
    if not url.username:
        # libpq would take the name of the operating system's user.
        raise SettingsError(f"{name} names no role; example: {EXAMPLE}")


def _parameter(name: str, key: str, value: str | tuple[str, ...]) -> None:
    if key in VARIABLES:
        raise SettingsError(f"{name} sets {key}; use the variable {VARIABLES[key]}")
    if key not in PARAMETERS:
        close = get_close_matches(key, PARAMETERS, 1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(PARAMETERS)}"
        raise SettingsError(f"{name} has the unknown parameter {key}; {hint}")
    if not isinstance(value, str):
        raise SettingsError(f"{name} sets {key} more than once")
