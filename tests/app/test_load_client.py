"""The load client against a real server: what it reports is what the server saw."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import closing

from http_load import Load, get, post
from running_app import Database, Serve
from running_postgres import free_port, wait_until


def test_every_answer_is_counted_once_and_the_ledger_is_what_is_stored(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    port = served.client.base_url.port
    assert port is not None
    with Load(port, post("/tools", "row"), clients=8, total=100) as writing:
        writing.wait()
    assert writing.statuses == {201: 100}
    assert writing.troubles == {}
    assert served.metric("http_requests_total", method="POST", route="/tools", code="201") == 100
    stored = {name for (name,) in database.execute("SELECT name FROM tools")}
    assert stored == set(writing.acknowledged) == {f"row {number}" for number in range(100)}
    with Load(port, get("/tools?limit=1"), clients=3) as reading:
        time.sleep(1)
    assert set(reading.statuses) == {200}
    assert served.metric("http_requests_total", method="GET", route="/tools", code="200") == reading.statuses[200]


def test_a_refusal_brings_its_header_and_a_missing_row_its_status(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    port = served.client.base_url.port
    assert port is not None
    database.execute("ALTER ROLE app NOLOGIN")
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
    try:
        with Load(port, get("/tools"), clients=1, total=1) as refused:
            refused.wait()
    finally:
        database.execute("ALTER ROLE app LOGIN")
    assert [(each.status, each.retry_after) for each in refused.outcomes] == [(503, "5")]
    with Load(port, get("/tools/1"), clients=1, total=1) as missing:
        missing.wait()
    assert [(each.status, each.retry_after) for each in missing.outcomes] == [(404, "")]


def test_a_killed_server_is_refused_or_broken_and_acknowledges_nothing(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    port = served.client.base_url.port
    assert port is not None
    with Load(port, post("/tools", "row"), clients=8) as writing:
        assert wait_until(lambda: len(writing.acknowledged) > 20)
        for pid in (served.process.pid, *served.workers()):
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: writing.troubles.get("refused"))
    assert set(writing.troubles) <= {"refused", "broken"}
    stored = {name for (name,) in database.execute("SELECT name FROM tools")}
    assert stored >= set(writing.acknowledged)


def test_a_server_that_never_answers_hangs_and_one_that_closes_is_broken() -> None:
    port = free_port()
    with closing(socket.create_server(("127.0.0.1", port))) as server:
        with Load(port, get("/"), clients=1, total=1, patience=0.5) as hung:
            hung.wait()
        assert hung.troubles == {"hung": 1}
        server.accept()[0].close()

        def accept_and_close() -> None:
            server.accept()[0].close()

        closing_thread = threading.Thread(target=accept_and_close)
        closing_thread.start()
        with Load(port, get("/"), clients=1, total=1) as broken:
            broken.wait()
        closing_thread.join()
    assert broken.troubles == {"broken": 1}
