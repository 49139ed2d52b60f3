"""The application under gunicorn: start, reload and stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from running_app import Database, Serve, Served
from running_postgres import free_port, wait_until


def load(served: Served, stop: threading.Event, failures: list[str], answered: list[int]) -> None:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        while not stop.is_set():
            try:
                status = client.post("/tools", json={"name": "x"}).status_code
            except httpx.TransportError as error:
                failures.append(repr(error))
                continue
            answered.append(status)
            if status != 201:
                failures.append(str(status))


def reload(served: Served) -> None:
    """Return when all workers are new ones."""
    old = set(served.workers())
    os.kill(served.process.pid, signal.SIGHUP)
    wait_until(lambda: len(served.workers()) == len(old) and not old & set(served.workers()), 20)


@pytest.fixture
def room_for_one_generation(database: Database) -> Iterator[None]:
    """Two workers' pools are all that the role may have."""
    database.execute("ALTER ROLE app CONNECTION LIMIT 8")
    yield
    database.execute("ALTER ROLE app CONNECTION LIMIT -1")


@pytest.mark.usefixtures("room_for_one_generation")
def test_reloads_lose_no_request(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), 2, DB_POOL_SIZE="2", DB_MAX_OVERFLOW="2")
    stop, failures, answered = threading.Event(), list[str](), list[int]()
    threads = [threading.Thread(target=load, args=(served, stop, failures, answered)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        reload(served)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert served.metric("http_requests_total", method="POST", code="201") == len(answered)
    assert database.execute("SELECT count(*) FROM tools") == [(len(answered),)]


def test_a_wrong_variable_stops_the_start_with_one_line(database: Database, launch: Serve) -> None:
    served = launch(database.environ() | {"DB_POOL_SIZE": "many"})
    assert served.process.wait(10) != 0
    assert "DB_POOL_SIZE must be a whole number, not 'many'" in served.log
    assert "Traceback" not in served.log


def test_a_taken_metrics_port_is_named(database: Database, serve: Serve, launch: Serve) -> None:
    first = serve(database.environ())
    port = first.metrics_url.split(":")[2].split("/")[0]
    second = launch(database.environ(), METRICS_PORT=port, BIND=f"127.0.0.1:{free_port()}")
    assert second.process.wait(10) != 0
    assert f"METRICS_PORT {port} cannot be used on 127.0.0.1: Address already in use" in second.log


def test_the_metrics_port_is_not_the_api(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    assert served.client.get("/metrics").status_code == 404
    root = served.metrics_url.removesuffix("/metrics")
    assert httpx.post(root + "/tools", json={"name": "x"}).status_code != 201
    assert database.execute("SELECT count(*) FROM tools") == [(0,)]


def test_stopping_lets_a_request_finish(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    answers: list[int] = []
    with database.postgres.connect(database.name) as other, other.transaction():
        other.execute("LOCK TABLE tools IN ACCESS EXCLUSIVE MODE")
        slow = threading.Thread(target=lambda: answers.append(httpx.get(served.url + "/tools").status_code))
        slow.start()
        wait_until(lambda: served.metric("app_db_pool_checked_out") == 1)
        served.process.terminate()
        time.sleep(0.3)
    slow.join()
    assert answers == [200]
    assert served.process.wait(10) == 0
