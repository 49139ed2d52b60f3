"""A storm: hundreds of clients at once, each with a connection of its own for each transaction, or sharing a pool."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import psycopg
from psycopg import AsyncConnection, sql

_PATIENCE_SECONDS = 30
# A client that is refused comes back after a moment, and not all of them at once.
_AGAIN_SECONDS = (0.05, 0.15)
# The last is the kernel's word for a socket at whose door too many wait.
_FULL = ("too many clients", "remaining connection slots", "too many connections", "Resource temporarily unavailable")
# What is under way at the end may end by itself: to cancel it would take a connection for each client.
_LAST_SECONDS = 20.0
# What pgbench does before each transaction; the values are drawn here.
_DRAWN = re.compile(r"^(?:\\.*|--.*)\n", re.MULTILINE)
_NAME = re.compile(r":(\w+)")


class Trouble(StrEnum):
    """Why a transaction was not: there was no place for its client, or something else went wrong."""

    REFUSED = "refused"
    FAILED = "failed"


@dataclass
class Stormed:
    """Milliseconds of each transaction from the wish to the commit, how often a client was refused.

    `seconds` is how long it lasted, 0 while it does. `failed` counts the errors that were none of a full server.
    """

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Storm:
    """`clients` at the server of `reach`, a connection string, that share `pool` connections or, with 0, none.

    `script` is that of pgbench's TPC-B on tables of `scale`; it goes as one message, so that clients take little.
    """

    reach: str
    script: str
    clients: int
    pool: int
    scale: int
    chance: random.Random

    def blow(self, seconds: float) -> Stormed:
        """Let it blow for `seconds`. What is under way then ends uncounted. Raises psycopg.Error without its pool."""
        # It warns of each client that has no place to be cancelled from, which is what an interrupted storm is full of.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        with _without_variables():
            return asyncio.run(self._blow(seconds))

    async def _blow(self, seconds: float) -> Stormed:
        async with self._pool() as pool:
            found, began = Stormed(), time.monotonic()
            clients = [asyncio.create_task(self._client(pool, found)) for _ in range(self.clients)]
            await asyncio.sleep(seconds)
            found.seconds = time.monotonic() - began
            _, late = await asyncio.wait(clients, timeout=_LAST_SECONDS)
            for client in late:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        found.latencies.sort()
        return found

    @asynccontextmanager
    async def _pool(self) -> AsyncIterator[asyncio.Queue[AsyncConnection] | None]:
        if not self.pool:
            yield None
            return
        pool: asyncio.Queue[AsyncConnection] = asyncio.Queue()
        made: list[AsyncConnection] = []
        try:
            for _ in range(self.pool):
                made.append(await self._connect())
                pool.put_nowait(made[-1])
            yield pool
        finally:
            for connection in made:
                await connection.close()

    async def _client(self, pool: asyncio.Queue[AsyncConnection] | None, found: Stormed) -> None:
        while not found.seconds:
            began = time.monotonic()
            trouble = await self._once(pool)
            while trouble and not found.seconds:
                found.refused += trouble is Trouble.REFUSED
                found.failed += trouble is Trouble.FAILED
                await asyncio.sleep(self.chance.uniform(*_AGAIN_SECONDS))
                trouble = await self._once(pool)
            if not found.seconds:
                found.latencies.append((time.monotonic() - began) * 1000)

    async def _once(self, pool: asyncio.Queue[AsyncConnection] | None) -> Trouble | None:
        """One transaction, unless there is no place for it."""
        try:
            if pool is None:
                async with await self._connect() as connection:
                    await connection.execute(self._transaction())
            else:
                connection = await pool.get()
                try:
                    await connection.execute(self._transaction())
                finally:
                    pool.put_nowait(connection)
        except psycopg.Error as error:
            return Trouble.REFUSED if any(words in str(error) for words in _FULL) else Trouble.FAILED
        return None

    async def _connect(self) -> AsyncConnection:
        return await AsyncConnection.connect(self.reach, autocommit=True, connect_timeout=_PATIENCE_SECONDS)

    def _transaction(self) -> sql.SQL:
        values = {
            "aid": self.chance.randint(1, 100_000 * self.scale),
            "tid": self.chance.randint(1, 10 * self.scale),
            "bid": self.chance.randint(1, self.scale),
            "delta": self.chance.randint(-5000, 5000),
        }
        return sql.SQL(_NAME.sub(lambda found: str(values[found[1]]), _DRAWN.sub("", self.script)))


@contextmanager
def _without_variables() -> Iterator[None]:
    """Leave out what the operator set for libpq, which may lead elsewhere: the clients of all other work have none."""
    kept = {name: os.environ.pop(name) for name in tuple(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(kept)
