"""The same routes over other ways to the database, for gunicorn as `variants:app`.

BENCH_VARIANT names one: `threads` is the app as it is, `async` SQLAlchemy's AsyncEngine over psycopg's asynchronous
connections, `plain` the pool of threads that FastAPI gives to routes that are plain functions, `unbounded` the same
with nothing but SQLAlchemy's pool behind it, and `memory` asks the database once. They keep only what is compared.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from starlette.concurrency import run_in_threadpool

from app import database, main, metrics, pre_ping
from app.database import Database
from app.engine import _connect_args
from app.settings import Settings
from app.unit import T, Unit


class PlainDatabase(Database):
    """A request waits in the event loop for one of 40 threads, and there for a connection."""

    async def run(self, unit: Unit[T], patience: float | None = None) -> T:
        """Run a unit where FastAPI would run a plain function."""
        now = time.perf_counter()
        return await run_in_threadpool(self._connected, unit, now, now + self._settings.pool_timeout_seconds)


class UnboundedDatabase(PlainDatabase):
    """Opens connections when they are needed, and gives up when the server has no room for one more."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        database.connect = lambda engine, _deadline: engine.connect()

    async def warm_up(self) -> None:
        """Open nothing."""


class AsyncDatabase(Database):
    """As many connections, no threads; a unit of work runs in a greenlet of the event loop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        arguments = _connect_args(settings, f"app worker {os.getpid()}", settings.statement_timeout_ms)
        self._async = create_async_engine(
            settings.url,
            isolation_level="AUTOCOMMIT",
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.pool_timeout_seconds,
            pool_recycle=settings.pool_recycle_seconds,
            connect_args=arguments,
        )
        self._slots = asyncio.Semaphore(settings.pool_capacity)
        if settings.pool_pre_ping:
            pre_ping.install(self._async.sync_engine)
        if settings.prepared_statements:
            event.listen(
                self._async.sync_engine, "connect", lambda c, _record: setattr(c.driver_connection, "prepared_max", 100)
            )

    async def run(self, unit: Unit[T], patience: float | None = None) -> T:
        """Run a unit on an asynchronous connection."""
        started = time.perf_counter()
        async with (
            asyncio.timeout(patience or self._settings.pool_timeout_seconds),
            self._slots,
            self._async.connect() as connection,
        ):
            metrics.POOL_WAIT.observe(time.perf_counter() - started)
            return await connection.run_sync(unit.run)

    async def warm_up(self) -> None:
        """Fill the pool."""
        held: list[AsyncConnection] = [await self._async.connect() for _ in range(self._settings.pool_size)]
        for connection in held:
            await connection.close()


class RememberingDatabase(Database):
    """Reads each route's answer once: what is left is the cost of HTTP, with the same validation and the same body."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._answers: dict[str, Any] = {}

    async def run(self, unit: Unit[T], patience: float | None = None) -> T:
        """Return what the route's first request found."""
        if unit.route not in self._answers:
            self._answers[unit.route] = await super().run(unit, patience)
        answer: T = self._answers[unit.route]
        return answer


VARIANTS: dict[str, Any] = {
    "unbounded": UnboundedDatabase,
    "async": AsyncDatabase,
    "plain": PlainDatabase,
    "threads": Database,
    "memory": RememberingDatabase,
}
main.Database = VARIANTS[os.environ["BENCH_VARIANT"]]
app = main.app
