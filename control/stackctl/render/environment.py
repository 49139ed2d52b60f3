"""The environment contract of the app and the exporter: names and values, without any secret."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from stackctl.render.model import Place
from stackctl.settings.app_section import AppSection
from stackctl.sizing.model import Sizing


def database_url(place: Place, role: str, service: str = "postgres") -> str:
    """SQLAlchemy URL of the app's database for `role`, at the server or at the pooler; the password is in a file."""
    return f"postgresql+psycopg://{role}@{place.address(service)}/app"


def app(sizing: Sizing, place: Place, section: AppSection) -> dict[str, str]:
    """Variables of the app's process: the contract, then what the project file adds."""
    pool, shape, web = sizing.pool, sizing.connections, place.addresses["app"]
    return {
        "BIND": f"{web.bind}:{web.port}",
        "PORT": str(web.port),
        **connection(database_url(place, "app"), place),
        "DB_POOLER": sizing.profile.pooler.value,
        "DB_POOL_SIZE": str(shape.pool_size),
        "DB_MAX_OVERFLOW": str(shape.max_overflow),
        "DB_POOL_TIMEOUT": str(pool.timeout_seconds),
        "DB_POOL_RECYCLE": str(pool.recycle_seconds),
        "DB_POOL_PRE_PING": "true" if pool.pre_ping else "false",
        **_metrics(place),
        "PG_CONNECT_TIMEOUT": str(pool.connect_timeout_seconds),
        "PG_KEEPALIVES_IDLE": str(pool.keepalives_idle_seconds),
        "PG_PREPARED_STATEMENT_CACHE": str(pool.prepared_statements),
        "PG_STATEMENT_TIMEOUT": str(pool.statement_timeout),
        "WEB_CONCURRENCY": str(shape.workers),
        **_given("PG_OPTIONS", section.options, ";"),
        **_given("APP_LIST_CACHE", section.list_cache, ","),
        **section.env,
    }


def migrate(sizing: Sizing, place: Place, section: AppSection) -> dict[str, str]:
    """Variables of the migration, which connects as the owner, past any pooler and without a time limit.

    One of the user's own gets all of the contract, as its code may read any of it when it is loaded.
    """
    if not section.own:
        return owner(place)
    return {**app(sizing, place, section), **owner(place), "DB_POOLER": "none", "PG_STATEMENT_TIMEOUT": "0"}


def owner(place: Place) -> dict[str, str]:
    """How the owner of the database connects."""
    return connection(database_url(place, "owner"), place)


def connection(url: str, place: Place) -> dict[str, str]:
    """The database for SQLAlchemy, and for whatever reads libpq's variables."""
    parts = urlsplit(url)
    return {
        "DATABASE_URL": url,
        "DB_PASSWORD_FILE": f"{place.secrets}/{parts.username}_password",
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": str(parts.username),
        "PGDATABASE": parts.path.removeprefix("/"),
    }


def _metrics(place: Place) -> dict[str, str]:
    metrics = place.addresses.get("metrics")
    return {"METRICS_ADDRESS": metrics.bind, "METRICS_PORT": str(metrics.port)} if metrics else {}


def _given(name: str, pairs: Mapping[str, str], separator: str) -> dict[str, str]:
    text = separator.join(f"{key}={value}" for key, value in pairs.items())
    return {name: text} if text else {}


def exporter(place: Place) -> dict[str, str]:
    """Variables of postgres_exporter."""
    return {
        "DATA_SOURCE_URI": f"{place.address('postgres')}/app?sslmode=disable",
        "DATA_SOURCE_USER": "monitor",
        "DATA_SOURCE_PASS_FILE": f"{place.secrets}/monitor_password",
    }
