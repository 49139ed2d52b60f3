"""Keeps answers of expensive lists for a short time; a write forgets them in all workers at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass

from cachetools import LRUCache

from app import metrics
from app.stamps import stamp

# Of one worker.
LARGEST_SUM = 4 * 1024 * 1024
# What an answer takes besides its bytes: the key, which holds a client's search, and the entry.
OVERHEAD = 1024

Load = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    stamp: int
    expires: float


class ListCache:
    """The answers of one worker, by the route's template for so many seconds."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds
        self._answers: LRUCache[Hashable, _Answer] = LRUCache(LARGEST_SUM, lambda answer: len(answer.body) + OVERHEAD)
        self._queries: dict[Hashable, asyncio.Task[bytes]] = {}

    def __len__(self) -> int:
        """Return how many answers are kept, also those that are no longer valid."""
        return len(self._answers)

    def covers(self, route: str) -> bool:
        """Tell whether a route's answers are kept."""
        return route in self._seconds

    async def get(self, route: str, table: str, question: Hashable, load: Load) -> bytes:
        """Return the answer to a question; `load` asks the database when nobody did or does."""
        # Taken before the query begins: whoever writes later makes the answer invalid. It is part of the
        # key of a running query, so that nobody waits for one that began before a write.
        now = stamp(table)
        kept = self._answers.get((route, question))
        if kept is not None and kept.stamp == now and time.monotonic() < kept.expires:
            metrics.CACHE_REQUESTS.labels(route, "hit").inc()
            return kept.body
        running = (route, question, now)
        query = self._queries.get(running)
        metrics.CACHE_REQUESTS.labels(route, "wait" if query else "miss").inc()
        if query is None:
            # A task of its own goes on when the client that came first goes away.
            query = self._queries[running] = asyncio.create_task(self._load(running, load))
            query.add_done_callback(_mark_as_seen)
        return await asyncio.shield(query)

    async def _load(self, running: tuple[str, Hashable, int], load: Load) -> bytes:
        route, question, before = running
        try:
            body = await load()
        finally:
            del self._queries[running]
        if len(body) + OVERHEAD <= LARGEST_SUM:
            self._answers[route, question] = _Answer(body, before, time.monotonic() + self._seconds[route])
        return body


def _mark_as_seen(query: asyncio.Task[bytes]) -> None:
    # Otherwise asyncio complains about a failure that every client went away from.
    if not query.cancelled():
        query.exception()
