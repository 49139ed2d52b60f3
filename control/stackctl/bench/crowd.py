"""A crowd at the API: clients that each wait for an answer before they ask again, over connections that stay open."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"
_PAUSE_SECONDS = 0.1
# As an app is used: mostly single rows, some pages, few writes. Parts of a hundred.
_ROWS, _PAGES = 70, 20
_BUSY = 503


@dataclass
class Answered:
    """Milliseconds of each good answer; how often a client was told to come back, and what else went wrong.

    `seconds` is how long it lasted, 0 while it does.
    """

    seconds: float = 0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Crowd:
    """`clients` at the socket `door` of the reference app, whose tools are numbered from 1 to `tools`."""

    door: Path
    clients: int
    tools: int
    chance: random.Random

    def ask(self, seconds: float) -> Answered:
        """Ask for `seconds`. What is under way then is not counted."""
        return asyncio.run(self._ask(seconds))

    async def _ask(self, seconds: float) -> Answered:
        found, began = Answered(), time.monotonic()
        clients = [asyncio.create_task(self._client(found)) for _ in range(self.clients)]
        await asyncio.sleep(seconds)
        found.seconds = time.monotonic() - began
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        found.latencies.sort()
        return found

    async def _client(self, found: Answered) -> None:
        """One connection after the other, for as long as each lasts."""
        loop = asyncio.get_running_loop()
        while True:
            lost = loop.create_future()
            made = partial(_Client, self._request, found, lost)
            try:
                transport, _ = await loop.create_unix_connection(made, str(self.door))
            except OSError:
                found.failed += 1
            else:
                try:
                    await lost
                finally:
                    transport.abort()
            await asyncio.sleep(_PAUSE_SECONDS)

    def _request(self) -> bytes:
        """The next of them, drawn by chance."""
        kind, tool = self.chance.randrange(100), self.chance.randint(1, self.tools)
        if kind < _ROWS:
            return _words("GET", f"/tools/{tool}")
        if kind < _ROWS + _PAGES:
            return _words("GET", f"/tools?limit=20&after={tool}")
        return _words("PUT", f"/tools/{tool}", f'{{"name": "tool {tool}", "description": "{self.chance.random()}"}}')


def _words(method: str, path: str, body: str = "") -> bytes:
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{about}\r\n{body}".encode()


class _Client(asyncio.Protocol):
    """One connection. Streams of asyncio would take twice the time, which is the server's."""

    def __init__(self, request: Callable[[], bytes], found: Answered, over: asyncio.Future[None]) -> None:
        self._request, self._found, self._over = request, found, over
        self._transport: asyncio.Transport | None = None
        self._began, self._got = 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is whole."""
        self._got += data
        head, end, body = self._got.partition(_HEAD_END)
        if not end:
            return
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        if not self._found.seconds:
            self._count(int(head.split(b" ", 2)[1]))
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Without the answer that was awaited."""
        if not self._over.done():
            self._found.failed += not self._found.seconds
            self._over.set_result(None)

    def _count(self, status: int) -> None:
        if status < 400:
            self._found.latencies.append((time.monotonic() - self._began) * 1000)
        else:
            self._found.refused += status == _BUSY
            self._found.failed += status != _BUSY

    def _next(self) -> None:
        assert self._transport is not None, "connected"  # noqa: S101
        self._began, self._got = time.monotonic(), b""
        self._transport.write(self._request())
