"""One function from settings to a SQLAlchemy engine, and what each new connection needs."""

from __future__ import annotations

import os
from typing import Any

from psycopg import capabilities
from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event

from app import compiled_cache, pre_ping, server_options
from app.settings import Settings

# With an idle time of 30 s and these, a silent peer is given up after 30 + 3 x 10 s.
KEEPALIVES_INTERVAL_SECONDS = 10
KEEPALIVES_COUNT = 3
# Answers are in UTC; this saves the conversion of each moment.
USUAL = {"timezone": "UTC"}


def for_requests(settings: Settings) -> Engine:
    """Return the engine that requests share: one bounded pool in each process."""
    engine = create_engine(
        settings.url,
        poolclass=QueuePool,
        # What reads need, which are most; to switch a connection there and back costs time in each of them.
        isolation_level="AUTOCOMMIT",
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout_seconds,
        pool_recycle=settings.pool_recycle_seconds,
        query_cache_size=compiled_cache.SIZE,
        connect_args=_connect_args(settings, f"app worker {os.getpid()}", settings.statement_timeout_ms),
    )
    if settings.pool_pre_ping and not settings.is_sqlite:
        pre_ping.install(engine)
    return _prepared(engine, settings)


def for_migrations(settings: Settings) -> Engine:
    """Return an engine that keeps no connection; its statements may take as long as they need."""
    arguments = _connect_args(settings, "app migrate", statement_timeout_ms=0)
    return _prepared(create_engine(settings.url, poolclass=NullPool, connect_args=arguments), settings)


def _connect_args(settings: Settings, name: str, statement_timeout_ms: int) -> dict[str, Any]:
    if settings.is_sqlite:
        return {"timeout": settings.connect_timeout_seconds}
    arguments: dict[str, Any] = {
        "application_name": name,
        "connect_timeout": settings.connect_timeout_seconds,
        "keepalives": 1,
        "keepalives_idle": settings.keepalives_idle_seconds,
        "keepalives_interval": KEEPALIVES_INTERVAL_SECONDS,
        "keepalives_count": KEEPALIVES_COUNT,
        # Keepalives watch only a quiet connection. When the network is cut under a request that was
        # just sent, the kernel would repeat it for a quarter of an hour.
        "tcp_user_timeout": settings.connect_timeout_seconds * 1000,
        "prepare_threshold": 5 if _prepares(settings) else None,
    }
    # PgBouncer refuses `options`; behind it the role's own setting (ALTER ROLE) gives the timeout.
    if settings.pooler == "none":
        own = {"statement_timeout": str(statement_timeout_ms)}
        arguments["options"] = server_options.for_libpq({**USUAL, **settings.server_options, **own})
    return arguments


def _prepares(settings: Settings) -> bool:
    if settings.prepared_statements == 0:
        return False
    # PgBouncer follows messages that prepare and close, but not DEALLOCATE, which psycopg sends where its
    # libpq is older than 17 and cannot close: statements would pile up in the pooler.
    return settings.pooler == "none" or capabilities.has_send_close_prepared()


def _prepared(engine: Engine, settings: Settings) -> Engine:
    if settings.is_sqlite:
        event.listen(engine, "connect", _tune_sqlite)
        return engine

    # The file is read for every new connection, so a rotated password needs no restart.
    def add_password(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        if settings.password_file is not None:
            parameters["password"] = settings.password_file.read_text(encoding="utf-8").rstrip("\r\n")

    def bound_prepared(connection: Any, _record: Any) -> None:
        connection.prepared_max = settings.prepared_statements

    event.listen(engine, "do_connect", add_password)
    if _prepares(settings):
        event.listen(engine, "connect", bound_prepared)
    return engine


def _tune_sqlite(connection: Any, _record: Any) -> None:
    # Readers and the one writer do not block each other with a write-ahead log.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Its own lower() knows ASCII only; a search must find the same rows as on PostgreSQL.
    connection.create_function("lower", 1, str.lower, deterministic=True)
