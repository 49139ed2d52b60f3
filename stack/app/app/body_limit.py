"""Bounds what request bodies take of a worker's memory, and how long they may take to arrive."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The longest row is a resource: (200 + 2,000 + 10,000) characters, each at most 12 bytes of JSON
# (an escaped pair of surrogates), are 146,400 bytes.
LARGEST_BODY = 256 * 1024
# 10,000 rows of 200 bytes. Parsed, checked and sent, it takes up to 15 times as much for a moment; a
# worker has 40 MB left beside what it always needs.
LARGEST_IMPORT = 2 * 1024 * 1024
# All bodies of a worker together: one such import and some rows.
LARGEST_SUM = 3 * 1024 * 1024
PATIENCE_SECONDS = 30.0
LINGER_SECONDS = 1.0


class BodyLimit:
    """ASGI middleware: 413 for a body that is too large, 408 for one that comes too slowly.

    It counts what arrives, so it needs no Content-Length, and refuses by it when there is one.
    """

    def __init__(self, app: ASGIApp, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._app = app
        self.patience_seconds = patience_seconds
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; what it holds of the sum is free again at its end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(self, scope, receive)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self.held -= body.size


class _Body:
    """One request's body on its way in."""

    def __init__(self, limit: BodyLimit, scope: Scope, receive: Receive) -> None:
        self._limit = limit
        self._scope = scope
        self._receive = receive
        self._deadline = time.monotonic() + limit.patience_seconds
        self._complete = False
        self.size = 0

    async def receive(self) -> Message:
        if self._complete:
            # What comes now is only that the client has gone.
            return await self._receive()
        largest = self._largest()
        too_large = HTTPException(413, f"The body is larger than {largest} bytes.")
        if self.size == 0 and int(self._header(b"content-length") or 0) > largest:
            await self._refuse(too_large)
        message = await self._next()
        self._complete = not message.get("more_body")
        if self.size > largest:
            await self._refuse(too_large)
        if self._limit.held > LARGEST_SUM:
            await self._refuse(HTTPException(503, "Too many large requests at once.", {"Retry-After": "1"}))
        return message

    def _header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self._scope["headers"] if key == name), None)

    def _largest(self) -> int:
        # Asked for after the routing: nothing reads a body before.
        path = getattr(self._scope.get("route"), "path", "")
        return LARGEST_IMPORT if path.endswith("/import") else LARGEST_BODY

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"The body did not arrive within {self._limit.patience_seconds:g} s.") from None
        size = len(message.get("body", b""))
        self.size += size
        self._limit.held += size
        return message

    async def _refuse(self, error: HTTPException) -> NoReturn:
        # The server closes the connection after the answer. A client that is still sending then might
        # not get to see it; one that waits for `100 Continue` sends nothing.
        if not self._complete and self._header(b"expect") is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while (await self._receive()).get("more_body"):
                        pass
        raise error
