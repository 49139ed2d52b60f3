"""The page that Prometheus asks: text that is there already, from a server that no client can hold up for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_RDWR, socket
from typing import Any

# One Prometheus, a health check and a person; more at once are turned away, and hold no thread.
_MOST = 8
# For a whole request, however slowly it comes.
_SECONDS = 5.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Page(ThreadingHTTPServer):
    """Serves `text` as /metrics, and as /healthz whether `well` says yes. Raises OSError where the port is taken."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], text: Callable[[], bytes], well: Callable[[], bool]) -> None:
        self._slots = threading.BoundedSemaphore(_MOST)
        self.text = text
        self.well = well
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, while there are some left."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one request, and end it when its time is over."""
        timer = threading.Timer(_SECONDS, _cut, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Page
    # Nothing of the program for those who look for its faults.
    server_version, sys_version = "stackctl", ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, self.server.text())
        elif path == "/healthz":
            fine = self.server.well()
            self._answer(200 if fine else 503, b"ok\n" if fine else b"it does not look any more\n")
        else:
            self._answer(404, b"/metrics\n")

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", _TEXT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line each 15 seconds says nothing."""


def _cut(request: socket) -> None:
    # It may have ended by itself.
    with suppress(OSError):
        request.shutdown(SHUT_RDWR)
