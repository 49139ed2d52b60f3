"""The environment contract of the app and the exporter: names and values, without any secret."""

from __future__ import annotations

from stackctl.render.model import Place
from stackctl.sizing.model import Sizing


def database_url(place: Place, role: str, service: str = "postgres") -> str:
    """SQLAlchemy URL of the app's database for `role`, at the server or at the pooler; the password is in a file."""
    return f"postgresql+psycopg://{role}@{place.address(service)}/app"


def app(sizing: Sizing, place: Place) -> dict[str, str]:
    """Variables of the app's process."""
    pool, shape = sizing.pool, sizing.connections
    metrics, web = place.addresses["metrics"], place.addresses["app"]
    return {
        "BIND": f"{web.bind}:{web.port}",
        "DATABASE_URL": database_url(place, "app"),
        "DB_PASSWORD_FILE": f"{place.secrets}/app_password",
        "DB_POOL_SIZE": str(shape.pool_size),
        "DB_MAX_OVERFLOW": str(shape.max_overflow),
        "DB_POOL_TIMEOUT": str(pool.timeout_seconds),
        "DB_POOL_RECYCLE": str(pool.recycle_seconds),
        "DB_POOL_PRE_PING": "true" if pool.pre_ping else "false",
        "METRICS_ADDRESS": metrics.bind,
        "METRICS_PORT": str(metrics.port),
        "PG_CONNECT_TIMEOUT": str(pool.connect_timeout_seconds),
        "PG_KEEPALIVES_IDLE": str(pool.keepalives_idle_seconds),
        "PG_PREPARED_STATEMENT_CACHE": str(pool.prepared_statements),
        "PG_STATEMENT_TIMEOUT": str(pool.statement_timeout),
        "WEB_CONCURRENCY": str(shape.workers),
    }


def migrate(place: Place) -> dict[str, str]:
    """Variables of the migration, which connects as the owner and past any pooler."""
    return {
        "DATABASE_URL": database_url(place, "owner"),
        "DB_PASSWORD_FILE": f"{place.secrets}/owner_password",
    }


def exporter(place: Place) -> dict[str, str]:
    """Variables of postgres_exporter."""
    return {
        "DATA_SOURCE_URI": f"{place.address('postgres')}/app?sslmode=disable",
        "DATA_SOURCE_USER": "monitor",
        "DATA_SOURCE_PASS_FILE": f"{place.secrets}/monitor_password",
    }
