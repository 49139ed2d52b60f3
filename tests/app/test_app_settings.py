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


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match="DB_PASSWORD_FILE") as raised:
        from_environment({"DATABASE_URL": "postgresql://app:hunter2@db/app"})
    assert "hunter2" not in str(raised.value)


def test_a_url_that_cannot_be_parsed_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as raised:
        from_environment({"DATABASE_URL": "postgresql//app:hunter2@db/app"})
    assert "hunter2" not in str(raised.value)


def test_sqlite_for_development(tmp_path: Path) -> None:
    settings = from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/app.db"})
    assert settings.is_sqlite
    assert settings.endpoint == f"{tmp_path}/app.db"
