"""What a crowd counts, from a server that answers word by word, refuses, fails, hangs up, or is not there."""

from __future__ import annotations

import random
import re
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.bench.crowd import Answered, crowd

SECONDS = 0.3
BODY = b'{"items": []}\r\n\r\n'


def answer(status: str, body: bytes = BODY) -> bytes:
    return b"HTTP/1.1 %s\r\nServer: x\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@contextmanager
def door(folder: Path, *answers: bytes, asked: Counter[str] | None = None, wait: float = 0) -> Iterator[Path]:
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
                time.sleep(wait)
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
    path.unlink(missing_ok=True)
    with Server(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield path
        finally:
            server.shutdown()


def asked_of(path: Path, clients: int = 4) -> Answered:
    with crowd(path, clients, 50, random.Random(7)) as found:
        # The clients come one after the other.
        found.ask(SECONDS)
        return found.ask(SECONDS)


def test_answers_in_pieces_are_one_each_and_requests_are_mixed(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    with door(tmp_path, answer("200 OK"), asked=asked) as path:
        found = asked_of(path)
    assert (found.refused, found.failed) == (0, 0)
    assert 4 < len(found.latencies) < sum(asked.values())
    assert found.latencies == sorted(found.latencies)
    assert asked["GET"] > asked["PUT"] > 0
    assert found.seconds >= SECONDS


def test_milliseconds_count_from_the_wish_to_the_good_answer(tmp_path: Path) -> None:
    with door(tmp_path, answer("200 OK"), wait=0.02) as path:
        found = asked_of(path)
    assert 20 <= found.latencies[0] < 1000 * SECONDS
    # Each second time refused: the pause before the next try is a part of it.
    with door(tmp_path, *[answer("503 Service Unavailable"), answer("200 OK")] * 50) as path:
        found = asked_of(path)
    assert found.refused > 0
    assert 50 <= found.latencies[0] < 1000 * SECONDS


def test_another_error_is_a_failure_and_so_is_a_connection_that_ends(tmp_path: Path) -> None:
    with door(tmp_path, answer("500 Oh")) as path:
        found = asked_of(path)
    assert (found.latencies, found.refused, found.failed > 0) == ([], 0, True)
    with door(tmp_path, answer("200 OK"), b"") as path:
        found = asked_of(path)
    assert (len(found.latencies) > 0, found.refused, found.failed > 0) == (True, 0, True)


def test_a_server_that_is_not_there_is_failures_and_no_error(tmp_path: Path) -> None:
    found = asked_of(tmp_path / "nobody")
    assert (found.latencies, found.failed >= 4) == ([], True)


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    with door(tmp_path, answer("200 OK")[:-3]) as path:
        found = asked_of(path)
    assert (found.latencies, found.refused, found.failed) == ([], 0, 0)
