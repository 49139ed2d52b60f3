"""Metrics across workers, their deaths and restarts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from prometheus_client import REGISTRY
from sqlalchemy import QueuePool, create_engine

from app.pool import PUBLISH_SECONDS, WatchedPool
from http_load import Load, get
from running_app import Database, Serve, Served, locked_table
from running_postgres import wait_until


def ask(served: Served, path: str, times: int) -> None:
    # A connection each, so that the kernel spreads them over the workers.
    for _ in range(times):
        httpx.get(served.url + path)


def test_counts_are_summed_over_workers(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), 3, DB_POOL_SIZE="2", DB_MAX_OVERFLOW="4")
    assert served.metric("http_requests_total", route="/tools/{tool_id}") == 0
    ask(served, "/tools/1", 40)
    labels = {"method": "GET", "route": "/tools/{tool_id}"}
    assert served.metric("http_requests_total", code="404", **labels) == 40
    assert served.metric("http_request_duration_seconds_count", **labels) == 40
    assert served.metric("app_db_query_duration_seconds_count", route="/tools/{tool_id}") == 40
    assert served.metric("app_db_pool_size") == 6
    assert served.metric("app_db_pool_max_overflow") == 12
    wait_until(lambda: served.metric("app_db_pool_idle") == 6)
    assert served.metric("app_db_pool_overflow") == 0
    assert served.metric("app_db_pool_wait_seconds_count") >= 40


def test_a_killed_worker_leaves_its_counts_and_takes_its_gauges(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), 2, DB_POOL_SIZE="2")
    ask(served, "/tools/1", 30)
    for victim in served.workers():
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: served.metric("app_db_pool_size") == 4 and served.ready())
    ask(served, "/tools/1", 10)
    assert served.metric("http_requests_total", route="/tools/{tool_id}") == 40
    assert served.metric("http_request_duration_seconds_count", route="/tools/{tool_id}") == 40
    # Four files for each of two workers, two for all the departed.
    assert len(list(served.directory.glob("*.db"))) == 10


def test_a_full_worker_is_seen_beside_an_idle_one(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), 2, DB_POOL_SIZE="2", DB_MAX_OVERFLOW="0")
    port = httpx.URL(served.url).port
    assert port is not None
    assert wait_until(lambda: served.metric("app_db_pool_idle") == 4)
    idle, _ = served.workers()
    # Clients that keep their connections come while one worker takes none.
    os.kill(idle, signal.SIGSTOP)
    with Load(port, get("/tools"), clients=6), locked_table(database):
        assert wait_until(lambda: served.metric("app_db_pool_fullest_ratio") == 1)
        os.kill(idle, signal.SIGCONT)
        time.sleep(3 * PUBLISH_SECONDS)
        assert served.metric("app_db_pool_checked_out") == 2
        assert served.metric("app_db_pool_fullest_ratio") == 1
    assert wait_until(lambda: served.metric("app_db_pool_fullest_ratio") == 0)


def test_idle_connections_take_no_more_than_a_few_threads(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    port = httpx.URL(served.metrics_url).port
    threads = Path(f"/proc/{served.process.pid}/task")
    before = len(list(threads.iterdir()))
    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
        # Those that ask nothing are closed, and make room for one that does.
        assert wait_until(lambda: served.metric("app_db_pool_size") > 0, 30)
        assert len(list(threads.iterdir())) - before <= 16


def test_a_start_begins_at_zero(database: Database, serve: Serve) -> None:
    first = serve(database.environ())
    ask(first, "/tools/1", 5)
    first.process.kill()
    first.process.wait()
    assert list(first.directory.glob("counter_*.db"))
    second = serve(database.environ())
    assert second.metric("http_requests_total", route="/tools/{tool_id}") == 0


def test_clients_cannot_make_series(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    for number in range(20):
        served.client.get(f"/no/such/{number}")
        served.client.get(f"/tools/{number + 1}")
        served.client.request(f"VERB{chr(65 + number)}", "/tools")
    assert served.metric("http_requests_total", route="unmatched", code="404") == 20
    assert served.metric("http_requests_total", method="other", route="/tools", code="405") == 20
    text = httpx.get(served.metrics_url).text
    assert "/no/such" not in text
    assert "VERB" not in text
    assert 'route="/tools/7"' not in text


def test_a_route_is_its_template_however_many_rows(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    for number in range(1, 21):
        served.client.get(f"/tools/{number}/resources", params={"search": f"word{number}"})
        served.client.get(f"/teams/{number}/members/{number}")
        served.client.put(f"/resources/{number}", json={"tool_id": 1, "name": "x", "uri": "x:y"})
    # Each way to say no counts where it was said.
    served.client.post("/teams", json={"name": "red"})
    served.client.post("/teams", json={"name": "red"})
    routes = {"/tools/{tool_id}/resources", "/teams/{team_id}/members/{member_id}", "/resources/{resource_id}"}
    for route in routes:
        assert served.metric("http_requests_total", route=route, code="404") == 20
        assert served.metric("app_db_query_duration_seconds_count", route=route) == 20
    assert served.metric("http_requests_total", route="/teams", code="409") == 1
    text = httpx.get(served.metrics_url).text
    assert set(re.findall(r'route="([^"]*)"', text)) == routes | {"/teams", "/readyz"}
    assert "word" not in text


def test_statements_are_compiled_once_in_each_worker(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), 1)
    ask(served, "/tools/1", 1)
    before = {result: served.metric("app_db_compiled_cache_total", result=result) for result in ("hit", "miss")}
    ask(served, "/tools/2", 10)
    assert served.metric("app_db_compiled_cache_total", result="hit") == before["hit"] + 10
    assert served.metric("app_db_compiled_cache_total", result="miss") == before["miss"]
    assert served.metric("app_db_compiled_cache_size") == before["miss"]


def test_the_gauges_follow_a_thread_that_took_long_to_its_connection(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/app.db", poolclass=QueuePool)

    async def seen() -> float | None:
        await asyncio.sleep(3 * PUBLISH_SECONDS)
        return REGISTRY.get_sample_value("app_db_pool_checked_out")

    async def story() -> list[float | None]:
        pool = WatchedPool(engine, 0)
        pool.entered()
        before = await seen()
        with engine.connect():
            meanwhile = await seen()
        pool.left()
        return [before, meanwhile, await seen()]

    assert asyncio.run(story()) == [0, 1, 0]
