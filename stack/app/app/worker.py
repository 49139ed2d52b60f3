"""gunicorn's event loop worker, leaving more gently.

The worker it extends stops within a second of SIGTERM wherever its clients are: it drops connections
that are accepted but not yet set up, and closes kept ones whose last answer promised to keep them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker  # type: ignore[import-untyped]
from starlette.types import Message, Receive, Scope, Send

SETTLE_SECONDS = 0.1
# Before the master's patience ends, which is graceful_timeout too.
MARGIN_SECONDS = 2


class Worker(ASGIWorker):  # type: ignore[misc]
    """Takes no more connections, tells its clients to go, and ends when they have gone."""

    asgi: Any
    _leaving: asyncio.Task[None] | None = None

    def load_wsgi(self) -> None:
        """Load the application and put the announcement around it."""
        super().load_wsgi()
        self._application = self.asgi
        self.asgi = self._announcing

    async def _announcing(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if self._leaving is not None and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._application(scope, receive, announce)

    def handle_exit_signal(self) -> None:
        """Begin to leave; the signal may come more than once."""
        if self._leaving is None:
            self._leaving = self.loop.create_task(self._leave())

    async def _shutdown(self) -> None:
        # A worker whose master was killed comes here without a signal. It would serve its clients until its
        # patience ends and close the pool under them, while its successors wait for its connections.
        if not self._quick_shutdown:
            self.handle_exit_signal()
            if self._leaving is not None:
                await self._leaving
        await super()._shutdown()

    async def _leave(self) -> None:
        for server in self.servers:
            for listener in server.sockets:
                self.loop.remove_reader(listener.fileno())
        # The successor fills its pool now. A worker that has not started yet has none.
        if database := getattr(self._application.state, "database", None):
            database.retire()
        deadline = self.loop.time() + max(0, self.cfg.graceful_timeout - MARGIN_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        while self.nr_conns > 0 and self.loop.time() < deadline:
            await asyncio.sleep(SETTLE_SECONDS)
        self.alive = False
