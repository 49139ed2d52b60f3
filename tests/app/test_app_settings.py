"""The environment contract: every error names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.environment import SettingsError
from app.settings import from_environment

URL = "postgresql+psycopg://app@db.internal:6432/shop"


def test_defaults() -> None:
    settings = from_environment({"DATABASE_URL": URL})
    assert settings.pool_timeout_seconds == 30
    assert settings.pool_recycle_seconds == 1800
    assert settings.pool_pre_ping is True
    assert settings.statement_timeout_ms == 30_000
    assert settings.connect_timeout_seconds == 10
    assert settings.keepalives_idle_seconds == 30
    assert settings.prepared_statements == 100
    assert settings.pooler == "none"


def test_values_are_taken() -> None:
    settings = from_environment(
        {
            "DATABASE_URL": URL,
            "DB_POOL_SIZE": "20",
            "DB_MAX_OVERFLOW": "5",
            "DB_POOL_PRE_PING": "off",
            "DB_POOL_TIMEOUT": "2.5",
            "DB_POOLER": "pgbouncer",
        }
    )
    assert settings.pool_capacity == 25
    assert settings.pool_pre_ping is False
    assert settings.pool_timeout_seconds == 2.5
    assert settings.pooler == "pgbouncer"
    assert settings.endpoint == "db.internal:6432/shop"


def test_cached_lists() -> None:
    settings = from_environment({"DATABASE_URL": URL, "APP_LIST_CACHE": "/tools=2, /teams/{team_id}/members=1.5,"})
    assert settings.list_cache == {"/tools": 2, "/teams/{team_id}/members": 1.5}
    assert from_environment({"DATABASE_URL": URL, "APP_LIST_CACHE": ""}).list_cache == {}


def test_an_empty_value_is_the_default() -> None:
    assert from_environment({"DATABASE_URL": URL, "DB_POOL_RECYCLE": ""}).pool_recycle_seconds == 1800


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "", "DATABASE_URL is not set"),
        ("DATABASE_URL", "mysql://x/y", "must begin with postgresql+psycopg or sqlite"),
        ("DATABASE_URL", "no url", "DATABASE_URL is not a database URL"),
        ("DATABASE_URL", "sqlite://", "must name a file"),
        ("DATABASE_URL", "postgres://app@db/app", "must begin with postgresql+psycopg"),
        ("DATABASE_URL", "postgresql+asyncpg://app@db/app", "has no other driver"),
        ("DATABASE_URL", "postgresql://app@db:many/app", "DATABASE_URL is not a database URL"),
        ("DATABASE_URL", "postgresql://app@db:70000/app", "has the port 70000; ports go from 1 to 65535"),
        ("DATABASE_URL", "postgresql://app@/app", "names no host; for a local socket add ?host="),
        ("DATABASE_URL", "postgresql://app@db", "names no database"),
        ("DATABASE_URL", "postgresql://app@db/", "names no database"),
        ("DATABASE_URL", "postgresql://db/app", "names no role"),
        (
            "DATABASE_URL",
            "postgresql://app@db/app?ssl_mode=require",
            "unknown parameter ssl_mode; did you mean sslmode?",
        ),
        ("DATABASE_URL", "postgresql://app@db/app?zzz=1", "unknown parameter zzz; known are channel_binding, "),
        ("DATABASE_URL", "postgresql://app@db/app?options=-c%20x=1", "sets options; use the variable PG_OPTIONS"),
        ("DATABASE_URL", "postgresql://app@db/app?sslmode=a&sslmode=b", "sets sslmode more than once"),
        ("PG_OPTIONS", "work_mem", "this is none: 'work_mem'"),
        ("PG_OPTIONS", "work_mem=8MB;work mem=4MB", "this is none: 'work mem=4MB'"),
        ("PG_OPTIONS", "work_mem=8MB;work_mem=4MB", "sets work_mem more than once"),
        ("PG_OPTIONS", "statement_timeout=5s", "use the variable PG_STATEMENT_TIMEOUT"),
        ("DB_POOL_SIZE", "many", "must be a whole number, not 'many'"),
        ("DB_POOL_SIZE", "0", "must be at least 1, not 0"),
        ("DB_MAX_OVERFLOW", "-1", "must be at least 0, not -1"),
        ("DB_POOL_TIMEOUT", "0", "must be above 0 seconds"),
        ("DB_POOL_TIMEOUT", "nan", "must be above 0 seconds"),
        ("DB_POOL_PRE_PING", "maybe", "must be true or false"),
        ("DB_POOLER", "odyssey", "must be none or pgbouncer"),
        ("APP_LIST_CACHE", "/tools=2,/nowhere=1", "names '/nowhere', which is no list; choose from /tools, "),
        ("APP_LIST_CACHE", "/tools", "must give /tools a number of seconds above 0, not ''"),
        ("APP_LIST_CACHE", "/tools=soon", "must give /tools a number of seconds above 0, not 'soon'"),
        ("APP_LIST_CACHE", "/tools=0", "above 0, not '0'"),
        ("APP_LIST_CACHE", "/tools=inf", "above 0, not 'inf'"),
        ("DB_PASSWORD_FILE", "/nowhere", "DB_PASSWORD_FILE cannot be read: /nowhere"),
    ],
)
def test_an_error_names_its_variable(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        from_environment({"DATABASE_URL": URL} | {name: value})
    assert str(raised.value).startswith(name)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter2@db/app",
        "postgresql//app:hunter2@db/app",
        "postgresql://app:x@hunter2@db:many/app",
        "postgresql://app:hun?ter2=hunter2@db/app?hunter2",
        "mysql://app:hunter2@db/app",
        "postgresql://app@db/app?password=hunter2",
        "postgresql://app@db/app?zzz=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL") as raised:
        from_environment({"DATABASE_URL": url})
    assert "hunter2" not in str(raised.value)


def test_what_libpq_may_be_told_in_the_url() -> None:
    url = "postgresql://app@/app?host=/var/run/postgresql&sslmode=verify-full&sslrootcert=/ca%20file.pem"
    query = from_environment({"DATABASE_URL": url}).url.query
    assert query == {"host": "/var/run/postgresql", "sslmode": "verify-full", "sslrootcert": "/ca file.pem"}


def test_options_cannot_pass_a_pooler() -> None:
    with pytest.raises(SettingsError, match="set work_mem, search_path with ALTER ROLE"):
        from_environment({"DATABASE_URL": URL, "DB_POOLER": "pgbouncer", "PG_OPTIONS": "work_mem=8MB;search_path=app"})


def test_sqlite_for_development(tmp_path: Path) -> None:
    settings = from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"})
    assert settings.is_sqlite
    assert settings.endpoint == f"{tmp_path}/app.db"
