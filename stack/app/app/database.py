"""Runs one unit of work at a time on a connection; the only way from a request to the database."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import compiled_cache, metrics
from app.admission import Admission
from app.backoff import delays
from app.engine import for_requests
from app.faults import Conflict, DatabaseUnavailable, OutcomeUnknown, PoolFull, fault_of
from app.pool import WatchedPool, connect
from app.settings import Settings
from app.unit import Unit

log = logging.getLogger(__name__)
T = TypeVar("T")

# Of one unit of work. Who is in the way is gone in a moment; a conflict that comes again each time is
# for the client to know.
ATTEMPTS = 4
LONGEST_RETRY_SECONDS = 0.5
# For what comes and goes with the statements.
MARGIN_SECONDS = 1.0


class Database:
    """As many threads as the pool has connections, with a queue in front that waits a bounded time.

    A request waits in the event loop, not in a thread and not in the pool, and holds a connection
    only while its unit of work runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = for_requests(settings)
        compiled_cache.watch(self._engine)
        self._pool = WatchedPool(self._engine, settings.max_overflow)
        self._threads = ThreadPoolExecutor(settings.pool_capacity, "database")
        self._admission = Admission(settings.pool_size, settings.max_overflow, settings.pool_timeout_seconds)
        self._warm = asyncio.Event()
        self.last_answer = float("-inf")

    async def run(self, unit: Unit[T], patience: float | None = None) -> T:
        """Return what a unit gives, run until no other transaction is in the way.

        Raises what a driver's error stands for, and PoolFull when there is no connection within
        `patience` seconds, or those of the settings. To run a unit again is safe: it is one
        transaction, which the conflict undid, and has no effect outside the database.
        """
        deadline = time.perf_counter() + (self._settings.pool_timeout_seconds if patience is None else patience)
        for attempt, delay in enumerate(delays(LONGEST_RETRY_SECONDS), start=1):
            try:
                return await self._once(unit, deadline)
            except PoolFull:
                # A probe that found the pool busy refused nobody.
                if patience is None:
                    metrics.POOL_TIMEOUTS.inc()
                raise
            except Conflict:
                if attempt == ATTEMPTS or time.perf_counter() + delay > deadline:
                    raise
                metrics.RETRIES.inc()
                await asyncio.sleep(delay)
        raise AssertionError("the delays never end")

    async def _once(self, unit: Unit[T], deadline: float) -> T:
        """Run a unit in a thread of its own."""
        started = time.perf_counter()
        await self._admit(deadline - started)
        loop = asyncio.get_running_loop()
        try:
            thread = loop.run_in_executor(self._threads, self._connected, unit, started, deadline)
        except RuntimeError as error:
            # The system has no thread to give. The work is in the executor's queue all the same, for another.
            log.error("no thread for the database: %s", error)
            self._admission.leave()
            raise _no_answer(unit) from error
        self._pool.entered()
        # The slot is free when the thread is, which is later than this coroutine's end if the client
        # goes away and the server cancels it.
        thread.add_done_callback(self._release)
        return await self._answer(unit, thread, deadline)

    async def _answer(self, unit: Unit[T], thread: asyncio.Future[T], deadline: float) -> T:
        """Wait for the thread, but no longer than a server can take that keeps its own statement timeout.

        One that is frozen keeps its connections alive and says nothing. The thread, with its slot and its
        connection, stays behind until they end.
        """
        try:
            async with asyncio.timeout(self._longest(unit, deadline)):
                return await asyncio.shield(thread)
        except TimeoutError:
            metrics.CONNECTION_ERRORS.inc()
            log.warning("database unavailable: no answer at all from %s", self._settings.endpoint)
            raise _no_answer(unit) from None

    def _longest(self, unit: Unit[T], deadline: float) -> float | None:
        """Seconds for the connection and two statements; None where a unit, or nobody, says how long one may take."""
        timeout = self._settings.statement_timeout_ms / 1000
        if not timeout or self._settings.is_sqlite or unit.statement_timeout_ms is not None:
            return None
        return max(0.0, deadline - time.perf_counter()) + 2 * timeout + MARGIN_SECONDS

    async def _admit(self, patience: float) -> None:
        deadline = time.perf_counter() + patience
        try:
            if not self._warm.is_set():
                async with asyncio.timeout(patience):
                    await self._warm.wait()
            await self._admission.enter(deadline - time.perf_counter())
        except TimeoutError:
            if not self._warm.is_set():
                raise DatabaseUnavailable from None
            raise PoolFull from None

    def _release(self, _thread: asyncio.Future[T]) -> None:
        self._admission.leave()
        self._pool.left()

    def _connected(self, unit: Unit[T], queued: float, deadline: float) -> T:
        try:
            with connect(self._engine, deadline) as connection:
                metrics.POOL_WAIT.observe(time.perf_counter() - queued)
                result = unit.run(connection)
            self.last_answer = time.monotonic()
            return result
        except PoolTimeout as error:
            raise PoolFull from error
        except DBAPIError as error:
            fault = fault_of(error)
            if fault is None:
                raise
            if isinstance(fault, DatabaseUnavailable):
                metrics.CONNECTION_ERRORS.inc()
                log.warning("database unavailable: %s", error.orig)
            raise fault from error

    async def warm_up(self) -> None:
        """Fill the pool, trying until the database answers; requests wait in front until then."""
        loop = asyncio.get_running_loop()
        for delay in delays():
            try:
                await loop.run_in_executor(self._threads, self._pool.fill)
            # Without a thread it is a RuntimeError, with half a password in its file a UnicodeDecodeError: both pass.
            except (DBAPIError, OSError, RuntimeError, UnicodeDecodeError) as error:
                metrics.CONNECTION_ERRORS.inc()
                log.warning("waiting for the database at %s: %s", self._settings.endpoint, error)
                await asyncio.sleep(delay)
            else:
                self._pool.publish()
                self._warm.set()
                return

    def retire(self) -> None:
        """Close the connections that are not in use: a successor waits for them."""
        self._engine.dispose()

    def close(self) -> None:
        """Close every connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()


def _no_answer(unit: Unit[T]) -> DatabaseUnavailable:
    """Return what a client hears of a unit that may still run."""
    return OutcomeUnknown() if unit.tables else DatabaseUnavailable()
