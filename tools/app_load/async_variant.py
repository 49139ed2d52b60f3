"""The app's database over SQLAlchemy's AsyncEngine; one of the variants."""

from __future__ import annotations

import asyncio
import os
import time

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app import metrics, pre_ping
from app.database import Database
from app.engine import _connect_args
from app.settings import Settings
from app.unit import T, Unit


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
