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

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app import database, main, metrics
from app.database import Database, T, Work
from app.engine import _connect_args
from app.settings import Settings


class PlainDatabase(Database):
    """A request waits in the event loop for one of 40 threads, and there for a connection."""

    async def run(self, route: str, engine: Engine, work: Work[T], patience: float) -> T:
        """Run `work` where FastAPI would run a plain function."""
        now = time.perf_counter()
        return await run_in_threadpool(self._unit, route, engine, work, now, now + patience)


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
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.pool_timeout_seconds,
            pool_recycle=settings.pool_recycle_seconds,
            pool_pre_ping=settings.pool_pre_ping,
            connect_args=arguments,
        )
        if settings.prepared_statements:
            event.listen(
                self._async.sync_engine, "connect", lambda c, _record: setattr(c.driver_connection, "prepared_max", 100)
            )
        self._reading = self._async.execution_options(isolation_level="AUTOCOMMIT")

    async def run(self, route: str, engine: Engine, work: Work[T], patience: float) -> T:
        """Run `work` on an asynchronous connection."""
        started = time.perf_counter()
        chosen = self._reading if engine is self._autocommit else self._async

        def unit(connection: Connection) -> T:
            with Session(connection, expire_on_commit=False) as session, session.begin():
                return work(session)

        async with asyncio.timeout(patience), self._slots, chosen.connect() as connection:
            self._pool.publish()
            metrics.POOL_WAIT.observe(time.perf_counter() - started)
            with metrics.QUERY_DURATION.labels(route).time():
                result = await connection.run_sync(unit)
        self._pool.publish()
        return result

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

    async def run(self, route: str, engine: Engine, work: Work[T], patience: float) -> T:
        """Return what the route's first request found."""
        if route not in self._answers:
            self._answers[route] = await super().run(route, engine, work, patience)
        answer: T = self._answers[route]
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
