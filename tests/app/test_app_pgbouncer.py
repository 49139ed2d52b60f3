"""The application through a real PgBouncer: the same answers, and its own errors mapped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from promised_engine import require_pgbouncer
from running_app import Database, Serve
from running_pgbouncer import running_pgbouncer
from running_postgres import PASSWORD, wait_until


@pytest.fixture(autouse=True)
def _installed() -> None:
    require_pgbouncer()


@pytest.fixture
def short_timeout(database: Database) -> Iterator[None]:
    """What a rendered stack does for the role behind a pooler."""
    database.execute("ALTER ROLE app SET statement_timeout = '500ms'")
    yield
    database.execute("ALTER ROLE app RESET statement_timeout")


@contextmanager
def locked_table(database: Database) -> Iterator[None]:
    with database.postgres.connect(database.name) as connection, connection.transaction():
        connection.execute("LOCK TABLE tools IN ACCESS EXCLUSIVE MODE")
        yield


def comes_back(answer: httpx.Response) -> bool:
    kind = answer.headers["content-type"]
    return (answer.status_code, kind) == (503, "application/problem+json") and int(answer.headers["retry-after"]) >= 1


def test_the_same_answers(database: Database, serve: Serve) -> None:
    with running_pgbouncer(database) as pooler:
        served = serve(pooler.environ(), DB_POOL_SIZE="3")
        assert served.client.post("/tools", json={"name": "saw"}).headers["location"] == "/tools/1"
        assert served.client.post("/tools/import", json=[{"name": "x"}] * 1200).json()["imported"] == 1200
        # Often enough that a direct connection would have prepared it.
        found = {served.client.get("/tools/1").json()["name"] for _ in range(20)}
        assert found == {"saw"}
        names = database.execute(
            f"SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = '{database.name}' "
            "AND usename = 'app' AND query LIKE '%tools%'"
        )
        assert names == [(f"app worker {served.workers()[0]}",)]


@pytest.mark.usefixtures("short_timeout")
def test_a_statement_timeout_is_the_roles_and_an_import_has_more(database: Database, serve: Serve) -> None:
    # All requests share one server connection.
    with running_pgbouncer(database, default_pool_size="1") as pooler:
        served = serve(pooler.environ())
        database.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(1); RETURN NULL; END$$"
        )
        database.execute("CREATE TRIGGER slow AFTER INSERT ON tools FOR EACH STATEMENT EXECUTE FUNCTION slow()")
        for _ in range(2):
            assert served.client.post("/tools", json={"name": "x"}).status_code == 504
            assert served.client.post("/tools/import", json=[{"name": "x"}]).status_code == 201
        assert served.client.post("/tools", json={"name": "x"}).status_code == 504


def test_waiting_too_long_for_a_server_connection(database: Database, serve: Serve) -> None:
    with running_pgbouncer(database, default_pool_size="1", query_wait_timeout="1") as pooler:
        served = serve(pooler.environ(), DB_POOL_SIZE="3")
        with ThreadPoolExecutor(1) as other:
            with locked_table(database):
                first = other.submit(served.client.get, "/tools")
                wait_until(lambda: served.metric("app_db_pool_checked_out") == 1)
                started = time.monotonic()
                assert comes_back(httpx.get(served.url + "/teams", timeout=30))
                # Once for the connection of the pool, once for a new one.
                assert time.monotonic() - started < 10
            assert first.result().status_code == 200
        assert httpx.get(served.url + "/teams").status_code == 200


def test_no_more_clients_allowed(database: Database, serve: Serve) -> None:
    with running_pgbouncer(database, max_client_conn="2") as pooler:
        served = serve(pooler.environ(), DB_POOL_SIZE="1", DB_MAX_OVERFLOW="1", DB_POOL_TIMEOUT="1")
        with (
            psycopg.connect(
                host="127.0.0.1", port=pooler.port, user="app", password=PASSWORD, dbname=database.name
            ) as other,
            ThreadPoolExecutor(1) as thread,
        ):
            assert other.info.backend_pid
            with locked_table(database):
                first = thread.submit(served.client.get, "/tools")
                wait_until(lambda: served.metric("app_db_pool_checked_out") == 1)
                refused = httpx.get(served.url + "/teams")
            assert comes_back(refused)
            # Full, not broken.
            assert refused.headers["retry-after"] == "1"
            assert served.metric("app_db_pool_timeouts_total") == 1
            assert first.result().status_code == 200


def test_the_server_behind_it_goes_and_comes_back(database: Database, serve: Serve) -> None:
    # Whoever is logged in waits this long for a server, even if there is none.
    with running_pgbouncer(database, query_wait_timeout="1") as pooler:
        served = serve(pooler.environ(), DB_POOL_TIMEOUT="5")
        database.postgres.stop()
        try:
            assert all(comes_back(served.client.get("/tools")) for _ in range(4))
            assert served.client.get("/healthz").status_code == 200
        finally:
            database.postgres.start()
        wait_until(lambda: served.client.get("/tools").status_code == 200, 20)


def test_the_pooler_goes_and_comes_back(database: Database, serve: Serve) -> None:
    with running_pgbouncer(database) as pooler:
        served = serve(pooler.environ(), DB_POOL_TIMEOUT="5")
        pooler.stop()
        assert all(comes_back(served.client.get("/tools")) for _ in range(2))
        pooler.start()
        wait_until(lambda: served.client.get("/tools").status_code == 200, 20)
        assert served.client.post("/tools", json={"name": "after"}).status_code == 201
