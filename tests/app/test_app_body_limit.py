"""What a client's body may take of a worker."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from app.body_limit import LARGEST_BODY, LARGEST_IMPORT, LARGEST_SUM, BodyLimit
from running_app import Database, Serve, Served
from running_postgres import wait_until

JSON = {"content-type": "application/json"}


@pytest.fixture
def served(database: Database, serve: Serve) -> Served:
    return serve(database.environ())


def is_too_large(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def of_size(size: int) -> bytes:
    """A list of one tool with white space behind it."""
    return json.dumps([{"name": "x"}]).encode().ljust(size)


def in_chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def test_the_limit_of_a_row_and_of_an_import(served: Served) -> None:
    row = json.dumps({"name": "x", "description": "\U0001f600" * 10_000}).encode()
    for path, body, largest in (
        ("/tools", row, LARGEST_BODY),
        ("/tools/import", of_size(10), LARGEST_IMPORT),
    ):
        assert served.client.post(path, content=body.ljust(largest), headers=JSON).status_code == 201
        for too_large in (body.ljust(largest + 1), in_chunks(body.ljust(largest + 1))):
            assert is_too_large(served.client.post(path, content=too_large, headers=JSON))
    assert served.metric("http_requests_total", route="/tools/import", code="413") == 2
    assert served.client.get("/tools").json()["next"] is None


def test_a_body_without_an_end_is_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), 20) as client:
        client.sendall(b"POST /tools HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        client.sendall(b"Transfer-Encoding: chunked\r\n\r\n")

        def refused() -> bool:
            with suppress(ConnectionError):
                client.sendall((b"2710\r\n" + b" " * 10_000 + b"\r\n") * 10)
            return served.metric("http_requests_total", route="/tools", code="413") == 1

        # A worker that is held up on a busy machine takes what was sent later.
        wait_until(refused, 30)


def test_a_client_that_asks_first_need_not_send(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", int(served.url.rsplit(":", 1)[1])), 20) as client:
        length = LARGEST_BODY + 1
        client.sendall(
            f"POST /tools HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_bodies_share_a_sum_and_give_it_back(served: Served) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    head = (
        f"POST /tools/import HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {LARGEST_IMPORT}\r\n\r\n"
    )
    assert LARGEST_IMPORT < LARGEST_SUM < 2 * LARGEST_IMPORT
    with socket.create_connection(("127.0.0.1", port), 20) as first:
        first.sendall(head.encode() + b" " * (LARGEST_IMPORT - 1))
        # The worker has not read all of the first one at once.
        wait_until(lambda: served.client.post("/tools/import", content=of_size(LARGEST_IMPORT), headers=JSON).is_error)
        refused = served.client.post("/tools/import", content=of_size(LARGEST_IMPORT), headers=JSON)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert served.client.post("/tools", json={"name": "x"}).status_code == 201
    wait_until(lambda: served.client.post("/tools/import", content=of_size(LARGEST_IMPORT), headers=JSON).is_success)


def test_a_body_that_comes_too_slowly() -> None:
    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> None:
        await request.body()

    sent: list[Message] = []

    async def drip() -> Message:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    app.add_middleware(BodyLimit, patience_seconds=0.1)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "http_version": "1.1"}
    asyncio.run(app(scope, drip, send))
    assert sent[0]["status"] == 408
