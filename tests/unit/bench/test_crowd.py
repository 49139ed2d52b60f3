"""What a crowd counts, from a server that answers word by word, refuses, fails, hangs up, or is not there."""

from __future__ import annotations

import random
import re
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.bench.crowd import Answered, Crowd

SECONDS = 0.3
BODY = b'{"items": []}\r\n\r\n'


def answer(status: str, body: bytes = BODY) -> bytes:
    return b"HTTP/1.1 %s\r\nServer: x\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@contextmanager
def door(folder: Path, *answers: bytes, asked: Counter[str] | None = None) -> Iterator[Path]:
    """A socket where each connection gets these answers in turn, the last one again; an empty one is a hang-up."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for number in range(100_000):
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = self.rfile.readline()
                    if not line:
                        return
                    head += line
                length = re.search(rb"Content-Length: (\d+)", head)
                self.rfile.read(int(length[1]) if length else 0)
                if asked is not None:
                    asked[head.split(b" ")[0].decode()] += 1
                said = answers[min(number, len(answers) - 1)]
                if not said:
                    return
                for byte in (said[:20], said[20:-3], said[-3:]):
                    self.wfile.write(byte)
                    self.wfile.flush()

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

        def handle_error(self, _request: object, _client: object) -> None:
            """A client that has enough leaves without its answer."""

    path = folder / "door"
    with Server(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield path
        finally:
            server.shutdown()


def crowd(path: Path, clients: int = 4) -> Answered:
    return Crowd(path, clients, 50, random.Random(7)).ask(SECONDS)


def test_answers_in_pieces_are_one_each_and_requests_are_mixed(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    with door(tmp_path, answer("200 OK"), asked=asked) as path:
        found = crowd(path)
    assert (found.refused, found.failed) == (0, 0)
    # What was under way at the end is not counted: at most one for each client.
    assert sum(asked.values()) - 4 <= len(found.latencies) <= sum(asked.values())
    assert found.latencies == sorted(found.latencies)
    assert asked["GET"] > asked["PUT"] > 0
    assert found.seconds >= SECONDS


def test_a_full_pool_is_a_refusal_and_another_error_a_failure(tmp_path: Path) -> None:
    with door(tmp_path, answer("200 OK"), answer("503 Service Unavailable"), answer("500 Oh"), b"") as path:
        found = crowd(path, clients=1)
    # A good one, a refusal, a failure, and a connection that ends instead of an answer; then again from the start.
    turns = len(found.latencies)
    assert turns >= 1
    assert turns - 1 <= found.refused <= turns
    assert 2 * (turns - 1) <= found.failed <= 2 * turns


def test_a_server_that_is_not_there_is_failures_and_no_error(tmp_path: Path) -> None:
    found = crowd(tmp_path / "nobody")
    assert (found.latencies, found.failed >= 4) == ([], True)


def test_nobody_answers(tmp_path: Path) -> None:
    with door(tmp_path, answer("200 OK")[:-3]) as path:
        found = crowd(path)
    assert (found.latencies, found.refused, found.failed) == ([], 0, 0)
