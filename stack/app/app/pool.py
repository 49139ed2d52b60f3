"""The connection pool as the metrics see it, and its warming up."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import ExitStack
from typing import Any, cast

from sqlalchemy import Connection, Engine, QueuePool, event
from sqlalchemy.exc import DBAPIError

from app import metrics
from app.backoff import delays
from app.faults import DatabaseUnavailable, PoolFull, server_is_full

log = logging.getLogger(__name__)

# A reload is over in about a second.
LONGEST_RETRY_SECONDS = 0.5
# Far below the time between two scrapes.
PUBLISH_SECONDS = 0.1


def connect(engine: Engine, deadline: float) -> Connection:
    """Return a connection; while the server has no room for one more, try until the deadline.

    During a reload the leaving workers' connections still count. Each attempt looks into the pool
    first, so it also finds what another request gives back. The deadline is one of perf_counter().
    """
    for delay in delays(LONGEST_RETRY_SECONDS):
        try:
            return engine.connect()
        except (OSError, UnicodeDecodeError) as error:
            # The password's file, which is read for each new connection.
            metrics.CONNECTION_ERRORS.inc()
            log.warning("no connection: %s", error)
            raise DatabaseUnavailable from error
        except DBAPIError as error:
            if not server_is_full(error):
                raise
            if time.perf_counter() + delay > deadline:
                raise PoolFull from error
            time.sleep(delay)
    raise AssertionError("the delays never end")


class WatchedPool:
    """An engine's pool with its gauges."""

    def __init__(self, engine: Engine, max_overflow: int) -> None:
        self._engine = engine
        self._max_overflow = max_overflow
        self._due = False
        self._units = 0
        metrics.POOL_SIZE.set(self._pool.size())
        metrics.POOL_MAX_OVERFLOW.set(max_overflow)
        event.listen(engine, "invalidate", _count_invalidation)
        event.listen(engine, "soft_invalidate", _count_invalidation)

    @property
    def _pool(self) -> QueuePool:
        return cast(QueuePool, self._engine.pool)

    def entered(self) -> None:
        """Count one more unit of work; call it in the event loop, like `left`."""
        self._units += 1
        self._publish_soon()

    def left(self) -> None:
        """Count one less."""
        self._units -= 1
        self._publish_soon()

    def _publish_soon(self) -> None:
        # Once for all that changes until then.
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(PUBLISH_SECONDS, self._publish_again)

    def _publish_again(self) -> None:
        self._due = False
        self.publish()
        # A thread may take longer than that to have its connection.
        if self._units:
            self._publish_soon()

    def publish(self) -> None:
        """Set the gauges to what the pool holds now."""
        pool = self._pool
        metrics.POOL_CHECKED_OUT.set(pool.checkedout())
        metrics.POOL_FULLEST.set(pool.checkedout() / (pool.size() + self._max_overflow))
        metrics.POOL_IDLE.set(pool.checkedin())
        # Starts at minus the pool's size and counts up with every connection that is opened.
        metrics.POOL_OVERFLOW.set(max(0, pool.overflow()))

    def fill(self) -> None:
        """Open the pool's connections; raise the driver's error when not even one can be had."""
        with ExitStack() as held:
            held.enter_context(self._engine.connect())
            try:
                for _ in range(self._pool.size() - 1):
                    held.enter_context(self._engine.connect())
            except DBAPIError as error:
                # While an old generation of workers leaves, its connections still count against the
                # role's limit. One is enough to serve; the others follow when they are needed.
                log.warning("pool not filled: %s", error.orig)


def _count_invalidation(_connection: Any, _record: Any, _error: Any) -> None:
    metrics.POOL_INVALIDATIONS.inc()
