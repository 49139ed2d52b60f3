"""Cached lists: right across workers, one query for all who ask the same, bounded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from app.cached_routes import ROUTES
from app.list_cache import ListCache
from app.main import create_app
from running_app import Database, Serve, Served
from running_postgres import wait_until

ALL = ",".join(f"{route}=600" for route in ROUTES)


def cached(served: Served, result: str, route: str = "/tools") -> float:
    return served.metric("app_cache_requests_total", route=route, result=result)


def newest(served: Served) -> str:
    # A connection of its own, so that any worker may answer.
    name: str = httpx.get(served.url + "/tools?limit=500").json()["items"][-1]["name"]
    return name


def all_workers_are_new(served: Served, old: list[int]) -> bool:
    return len(served.workers()) == len(old) and not set(served.workers()) & set(old) and served.ready()


@pytest.mark.parametrize("change", ["start", "kill", "reload"])
def test_a_write_is_seen_in_every_worker_at_once(database: Database, serve: Serve, change: str) -> None:
    served = serve(database.environ(), 2, APP_LIST_CACHE="/tools=600")
    old = served.workers()
    if change == "kill":
        for pid in old:
            os.kill(pid, signal.SIGKILL)
    elif change == "reload":
        os.kill(served.process.pid, signal.SIGHUP)
    if change != "start":
        wait_until(lambda: all_workers_are_new(served, old), 20)
    for number in range(20):
        assert httpx.post(served.url + "/tools", json={"name": str(number)}).status_code == 201
        assert [newest(served) for _ in range(6)] == [str(number)] * 6
    # Two workers ask once after each write, and answer the rest by themselves.
    assert cached(served, "hit") >= 80
    assert cached(served, "miss") == served.metric("app_db_query_duration_seconds_count", route="/tools") - 20


@contextmanager
def locked_table(database: Database) -> Iterator[None]:
    with database.postgres.connect(database.name) as connection, connection.transaction():
        connection.execute("LOCK TABLE tools IN ACCESS EXCLUSIVE MODE")
        yield


def running_queries(database: Database) -> int:
    sql = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND wait_event_type = 'Lock'"
    return len(database.postgres.execute(sql))


def test_those_who_ask_the_same_wait_for_one_query(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE="/tools=600")
    with ThreadPoolExecutor(5) as others:
        with locked_table(database):
            asked = [others.submit(httpx.get, served.url + "/tools", timeout=30) for _ in range(5)]
            wait_until(lambda: cached(served, "wait") == 4)
            assert running_queries(database) == 1
        assert [answer.result().json() for answer in asked] == [{"items": [], "next": None}] * 5
    assert (cached(served, "miss"), cached(served, "hit")) == (1, 0)


def test_nobody_waits_for_a_query_from_before_a_write(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE="/tools=600")
    # Only the first one to read the table waits, after its snapshot was taken.
    database.execute("CREATE SEQUENCE readers; GRANT USAGE ON SEQUENCE readers TO app")
    database.execute(
        "CREATE FUNCTION pass() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN IF nextval('readers') = 1 THEN "
        "PERFORM pg_advisory_xact_lock_shared(1); END IF; RETURN true; END$$"
    )
    database.execute("INSERT INTO tools (name) VALUES ('old'); ALTER TABLE tools ENABLE ROW LEVEL SECURITY")
    database.execute("CREATE POLICY reading ON tools FOR SELECT TO app USING (pass())")
    database.execute("CREATE POLICY adding ON tools FOR INSERT TO app WITH CHECK (true)")
    with ThreadPoolExecutor(1) as other, database.postgres.connect(database.name) as gate:
        gate.execute("SELECT pg_advisory_lock(1)")
        before = other.submit(httpx.get, served.url + "/tools", timeout=30)
        wait_until(lambda: running_queries(database) == 1)
        assert served.client.post("/tools", json={"name": "new"}).status_code == 201
        assert newest(served) == "new"
        gate.execute("SELECT pg_advisory_unlock(1)")
        assert before.result().json()["items"][-1]["name"] == "old"
    # Nor is its answer kept.
    assert newest(served) == "new"


def test_the_query_goes_on_without_the_first_client(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE="/tools=600")
    with ThreadPoolExecutor(1) as other:
        with locked_table(database):
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(served.url + "/tools", timeout=0.5)
            second = other.submit(httpx.get, served.url + "/tools", timeout=30)
            wait_until(lambda: cached(served, "wait") == 1)
        assert second.result().status_code == 200
    assert cached(served, "miss") == 1


def test_a_query_that_failed_fails_for_all_and_is_not_kept(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE="/tools=600", PG_STATEMENT_TIMEOUT="1500")
    with locked_table(database), ThreadPoolExecutor(3) as others:
        asked = [others.submit(httpx.get, served.url + "/tools", timeout=30) for _ in range(3)]
        assert [answer.result().status_code for answer in asked] == [504] * 3
    assert served.client.get("/tools").status_code == 200
    # With nobody left to hear of it, it is no defect either.
    with locked_table(database):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(served.url + "/tools?limit=7", timeout=0.5)
        wait_until(lambda: served.metric("app_db_pool_checked_out") == 0)
    assert "Traceback" not in served.log


def test_a_parent_takes_the_lists_of_its_rows_along(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE=ALL)
    for path, child, row in (
        ("/tools", "/tools/1/resources", {"tool_id": 1, "name": "x", "uri": "x:y"}),
        ("/teams", "/teams/1/members", {"role": "owner"}),
    ):
        assert served.client.post(path, json={"name": "x"}).status_code == 201
        where = "/resources" if path == "/tools" else child
        for method, target in (("POST", where), ("PUT", f"{where}/1")):
            changed = served.client.request(method, target, json=row | {"name": method, "email": f"{method}@b"})
            assert changed.is_success
            for _ in range(2):
                assert served.client.get(child).json()["items"] == [changed.json()]
        lists = {path, where, child}
        assert all(served.client.get(each).json()["items"] for each in lists)
        assert served.client.delete(f"{path}/1").status_code == 204
        assert served.client.get(child).status_code == 404
        assert all(served.client.get(each).json()["items"] == [] for each in lists - {child})


def test_an_answer_is_the_same_and_expires(database: Database, serve: Serve) -> None:
    plain = serve(database.environ())
    served = serve(database.environ(), APP_LIST_CACHE="/tools=1")
    plain.client.post("/tools", json={"name": 'Säge "x"'})
    for query in ("", "?limit=1", "?after=1", "?search=s", "?limit=0"):
        answers = [each.client.get(f"/tools{query}") for each in (plain, served, served)]
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["content-type"] for answer in answers}) == 1
    # Another host's write, as this one knows nothing of it.
    plain.client.post("/tools", json={"name": "elsewhere"})
    wait_until(lambda: newest(served) == "elsewhere")


def test_only_the_named_lists_are_kept(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), APP_LIST_CACHE="/teams=600")
    for path in ("/tools", "/tools", "/teams", "/teams"):
        served.client.get(path)
    assert (cached(served, "miss"), cached(served, "hit")) == (0, 0)
    assert (cached(served, "miss", "/teams"), cached(served, "hit", "/teams")) == (1, 1)


def test_memory_is_bounded() -> None:
    kept = ListCache({"/tools": 600})

    async def ask(questions: int, size: int) -> None:
        async def load() -> bytes:
            return bytes(size)

        for number in range(questions):
            assert len(await kept.get("/tools", "tools", (size, number), load)) == size

    asyncio.run(ask(10, 1_500_000))
    assert len(kept) == 2
    # More than all of it, and answers that are small beside what asks for them.
    asyncio.run(ask(1, 5_000_000))
    assert len(kept) == 2
    asyncio.run(ask(10_000, 26))
    assert 3000 < len(kept) < 4096


def test_the_known_lists_are_the_lists() -> None:
    paths = create_app().openapi()["paths"]
    pages = [path for path, methods in paths.items() if "/schemas/Page_" in json.dumps(methods.get("get"))]
    assert sorted(pages) == sorted(ROUTES)
