"""Counts and times every request by method, route template and status."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import metrics

# Labels come from these and from the route table only: a client must not be able to make new series.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
# The client went away before there was a response.
CLIENT_CLOSED = 499


class RequestMetrics:
    """ASGI middleware; sits inside the error handler, so a raised exception is counted as 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, send)
        try:
            await self._app(scope, receive, request.send)
        except Exception:
            request.record(500)
            raise
        finally:
            request.record(CLIENT_CLOSED)


class _Request:
    """One request on its way."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()
        self._status: int | None = None
        self._recorded = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body" and not message.get("more_body") and self._status:
            # Before the client can know: whatever was acknowledged is also counted.
            self.record(self._status)
        await self._send(message)

    def record(self, status: int) -> None:
        """Count the request, once."""
        if self._recorded:
            return
        self._recorded = True
        method = self._scope["method"] if self._scope["method"] in METHODS else "other"
        route = getattr(self._scope.get("route"), "path", UNMATCHED)
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.REQUEST_DURATION.labels(method, route).observe(time.perf_counter() - self._started)
