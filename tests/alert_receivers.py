"""Receivers of alerts for tests: a web server and a mail server on loopback that keep what they are sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Posted:
    """One request: its path, its headers, the JSON of its body."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    def alerts(self, status: str) -> list[dict[str, Any]]:
        """The alerts of a webhook's message that have this status."""
        return [alert for alert in self.body["alerts"] if alert["status"] == status]


@dataclass
class WebReceiver:
    """What was posted, and the status that it answers."""

    port: int = 0
    status: int = 200
    posted: list[Posted] = field(default_factory=list)

    def names(self, status: str = "firing") -> list[str]:
        """Names of the alerts that arrived with this status, in their order."""
        return [a["labels"]["alertname"] for each in list(self.posted) for a in each.alerts(status)]

    def severities(self) -> set[tuple[str, str]]:
        """The alerts that arrived, each with how bad it is."""
        labels = [a["labels"] for each in list(self.posted) for a in each.alerts("firing")]
        return {(each["alertname"], each.get("severity", "")) for each in labels}


@contextmanager
def web_receiver(address: str = "127.0.0.1") -> Iterator[WebReceiver]:
    """A web server that keeps each post."""
    receiver = WebReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(Posted(self.path, dict(self.headers), json.loads(body)))
            self.send_response(receiver.status)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *words: object) -> None:
            pass

    with _served(ThreadingHTTPServer((address, 0), Handler)) as port:
        receiver.port = port
        yield receiver


@contextmanager
def mail_receiver() -> Iterator[tuple[int, list[Message]]]:
    """A mail server without TLS: its port, and what it got."""
    got: list[Message] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                word = line.split(" ", 1)[0].upper()
                if word == "DATA":
                    self._say("354 go on")
                    got.append(message_from_string("".join(self._lines())))
                self._say("221 bye" if word == "QUIT" else "250 fine")
                if word == "QUIT":
                    return

        def _lines(self) -> Iterator[str]:
            while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                yield line

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, got


@contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
