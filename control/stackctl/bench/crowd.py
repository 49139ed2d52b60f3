"""A crowd at the API: clients that each wait for an answer before they ask again, over connections that stay open."""

from __future__ import annotations

import asyncio
import errno
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
# Who is refused comes back after a moment, and not all of them at once.
_AGAIN_SECONDS = (0.05, 0.15)
# The kernel's words for a socket at whose door too many wait; nobody has answered then, and nobody refused.
_FULL = (errno.EAGAIN, errno.ENOTCONN)
# As an app is used: mostly single rows, some pages, few writes. Parts of a hundred.
_ROWS, _PAGES = 70, 20
_BUSY = 503


@dataclass
class Answered:
    """Milliseconds from each wish to its good answer; how often a client was told to come back, and what else failed.

    What is under way at the end is not among them.
    """

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0


class Crowd:
    """Clients of the reference app, whose tools are numbered from 1 to `tools`. They rest between two askings."""

    def __init__(self, door: Path, tools: int, chance: random.Random) -> None:
        self.chance = chance
        self.found = Answered()
        self._door, self._tools = str(door), tools
        self._loop = asyncio.new_event_loop()

    def ask(self, seconds: float) -> Answered:
        """Ask for `seconds`. What was asked before counts no more."""
        self.found, began = Answered(), time.monotonic()
        self._loop.run_until_complete(asyncio.sleep(seconds))
        found, self.found = self.found, Answered()
        # What is still under way belongs to the old one, and comes too late.
        return replace(found, seconds=time.monotonic() - began, latencies=sorted(found.latencies))

    def request(self) -> bytes:
        """The next of them, drawn by chance."""
        kind, tool = self.chance.randrange(100), self.chance.randint(1, self._tools)
        if kind < _ROWS:
            return _words("GET", f"/tools/{tool}")
        if kind < _ROWS + _PAGES:
            return _words("GET", f"/tools?limit=20&after={tool}")
        return _words("PUT", f"/tools/{tool}", f'{{"name": "tool {tool}", "description": "{self.chance.random()}"}}')

    def pause(self) -> float:
        """Seconds until who had no answer tries again."""
        return self.chance.uniform(*_AGAIN_SECONDS)

    @contextmanager
    def gathered(self, clients: int) -> Iterator[None]:
        """So many are there, for as long as the context lasts."""
        tasks = [self._loop.create_task(self._client()) for _ in range(clients)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    async def _client(self) -> None:
        """One connection after the other, for as long as each lasts."""
        while True:
            # One after the other, or the first of the app's processes to wake would take them all.
            await asyncio.sleep(self.pause())
            lost = self._loop.create_future()
            made = partial(_Client, self, lost)
            try:
                transport, _ = await self._loop.create_unix_connection(made, self._door)
            except OSError as error:
                self.found.failed += error.errno not in _FULL
                continue
            try:
                await lost
            finally:
                transport.abort()


@contextmanager
def crowd(door: Path, clients: int, tools: int, chance: random.Random) -> Iterator[Crowd]:
    """`clients` at the socket `door`."""
    made = Crowd(door, tools, chance)
    with made.gathered(clients):
        yield made


def _words(method: str, path: str, body: str = "") -> bytes:
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{about}\r\n{body}".encode()


class _Client(asyncio.Protocol):
    """One connection. Streams of asyncio would take twice the time, which is the server's."""

    def __init__(self, crowd: Crowd, over: asyncio.Future[None]) -> None:
        self._crowd, self._over = crowd, over
        self._transport: asyncio.Transport | None = None
        self._found, self._began, self._got = crowd.found, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._wish()

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is whole."""
        self._got += data
        head, end, body = self._got.partition(_HEAD_END)
        if not end:
            return
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        status = int(head.split(b" ", 2)[1])
        if status < 400:
            # It belongs to the asking in which it was wished for.
            self._found.latencies.append((time.monotonic() - self._began) * 1000)
            self._wish()
            return
        self._crowd.found.refused += status == _BUSY
        self._crowd.found.failed += status != _BUSY
        # The wish is the same one still.
        asyncio.get_running_loop().call_later(self._crowd.pause(), self._send)

    def connection_lost(self, error: Exception | None) -> None:
        """Without the answer that was awaited."""
        if not self._over.done():
            self._crowd.found.failed += 1
            self._over.set_result(None)

    def _wish(self) -> None:
        self._found, self._began = self._crowd.found, time.monotonic()
        self._send()

    def _send(self) -> None:
        assert self._transport is not None, "connected"  # noqa: S101
        self._got = b""
        self._transport.write(self._crowd.request())
