"""The same routes over other ways to the database, for gunicorn as `variants:app`.

BENCH_VARIANT names one: `threads` is the app as it is, `async` SQLAlchemy's AsyncEngine over psycopg's asynchronous
connections, `plain` the pool of threads that FastAPI gives to routes that are plain functions, `unbounded` the same
with nothing but SQLAlchemy's pool behind it, and `memory` asks the database once. They keep only what is compared.
"""

from __future__ import annotations

import os
import time
from typing import Any

from starlette.concurrency import run_in_threadpool

from app import database, main
from app.database import Database
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
    "plain": PlainDatabase,
    "threads": Database,
    "memory": RememberingDatabase,
}
if (name := os.environ["BENCH_VARIANT"]) == "async":
    # Here, because it needs the package greenlet, which the others do without.
    from async_variant import AsyncDatabase

    VARIANTS[name] = AsyncDatabase
main.Database = VARIANTS[name]
app = main.app
