"""What clients see when the database is slow, full, gone or back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from running_app import Database, Serve, Served, locked_table
from running_postgres import wait_until


def quiet(served: Served) -> bool:
    return served.metric("app_db_pool_checked_out") == 0


def test_a_full_pool_answers_within_its_timeout(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), DB_POOL_SIZE="1", DB_MAX_OVERFLOW="1", DB_POOL_TIMEOUT="0.5")
    with ThreadPoolExecutor(2) as others:
        with locked_table(database):
            waiting = [others.submit(served.client.get, "/tools") for _ in range(2)]
            wait_until(lambda: served.metric("app_db_pool_checked_out") == 2)
            started = time.monotonic()
            refused = served.client.get("/tools")
            assert 0.4 < time.monotonic() - started < 1.5
            # Nothing else waits in that queue.
            assert served.client.get("/healthz").status_code == 200
        assert [answer.result().status_code for answer in waiting] == [200, 200]
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"
    assert served.metric("app_db_pool_timeouts_total") == 1
    assert served.client.get("/tools").status_code == 200
    assert wait_until(lambda: quiet(served))


def test_busy_is_ready_as_long_as_the_database_answers(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0")
    with ThreadPoolExecutor(1) as other:
        with locked_table(database):
            waiting = other.submit(served.client.get, "/tools")
            wait_until(lambda: served.metric("app_db_pool_checked_out") == 1)
            assert served.client.get("/readyz").json() == {"status": "busy"}
        assert waiting.result().status_code == 200
    # Who only asked was not a request that the pool was too small for.
    assert served.metric("app_db_pool_timeouts_total") == 0


def test_a_statement_over_its_timeout(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), PG_STATEMENT_TIMEOUT="200", DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0")
    with locked_table(database):
        for _ in range(3):
            slow = served.client.get("/tools")
            assert slow.status_code == 504
            assert slow.headers["content-type"] == "application/problem+json"
            assert slow.json()["title"] == "Gateway Timeout"
    assert served.client.get("/tools").status_code == 200
    assert wait_until(lambda: quiet(served))
    # The connection was not lost with the statement.
    assert served.metric("app_db_connection_errors_total") == 0
    assert served.metric("app_db_pool_invalidations_total") == 0


def test_a_database_that_stops_and_comes_back(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    assert served.client.post("/tools", json={"name": "before"}).status_code == 201
    database.postgres.stop()
    try:
        gone = served.client.get("/tools")
        assert gone.status_code == 503
        assert int(gone.headers["retry-after"]) >= 1
        assert gone.headers["content-type"] == "application/problem+json"
        assert served.client.get("/readyz").status_code == 503
        assert served.client.get("/healthz").status_code == 200
        assert served.metric("app_db_connection_errors_total") >= 1
    finally:
        database.postgres.start()
    assert served.client.get("/tools").json()["items"][0]["name"] == "before"
    assert served.metric("app_db_pool_invalidations_total") >= 1
    assert served.ready()


def test_a_start_before_the_database(database: Database, launch: Serve) -> None:
    database.postgres.stop()
    try:
        served = launch(database.environ(), DB_POOL_TIMEOUT="20")
        wait_until(lambda: served.client.get("/healthz").status_code == 200)
        assert served.client.get("/readyz").status_code == 503
        with ThreadPoolExecutor(1) as other:
            early = other.submit(served.client.post, "/tools", json={"name": "early"})
            time.sleep(0.3)
            assert not early.done()
            database.postgres.start()
            assert early.result().status_code == 201
    finally:
        if database.postgres.process is None:
            database.postgres.start()
    assert served.ready()


def test_a_rotated_password_needs_no_restart(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    old = database.password_file.read_text()
    database.execute("ALTER ROLE app PASSWORD 'second'")
    try:
        database.password_file.write_text("second")
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        assert served.client.get("/tools").status_code == 200
    finally:
        database.execute(f"ALTER ROLE app PASSWORD '{old.strip()}'")


@contextmanager
def frozen_sessions(database: Database) -> Iterator[None]:
    """Stop the app's sessions as a frozen machine would: their connections stay."""
    pids = database.execute(f"SELECT pid FROM pg_stat_activity WHERE datname = '{database.name}' AND usename = 'app'")
    assert pids
    for (pid,) in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for (pid,) in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(("method", "detail"), [("GET", "does not answer"), ("POST", "is not known")])
def test_a_frozen_database(database: Database, serve: Serve, method: str, detail: str) -> None:
    one = {"DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0"}
    served = serve(database.environ(), PG_STATEMENT_TIMEOUT="500", DB_POOL_TIMEOUT="1", **one)
    body = {"name": "late"} if method == "POST" else None
    with frozen_sessions(database):
        silent = served.client.request(method, "/tools", json=body)
        assert (silent.status_code, silent.headers["retry-after"]) == (503, "5")
        assert detail in silent.json()["detail"]
        # What waits still has the pool's only connection.
        assert "in use" in served.client.get("/tools").json()["detail"]
    assert wait_until(lambda: served.client.get("/tools").status_code == 200)
    assert wait_until(lambda: quiet(served))


def test_readiness_of_a_frozen_database(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), DB_POOL_SIZE="3", DB_MAX_OVERFLOW="0")
    assert wait_until(lambda: quiet(served))
    with frozen_sessions(database):
        time.sleep(5)
        # An answer in time for the patience of a container's health check, which the statement timeout is not.
        probes = [httpx.get(f"{served.url}/readyz", timeout=15) for _ in range(2)]
        assert [probe.status_code for probe in probes] == [503, 503]
        assert wait_until(lambda: served.metric("app_db_pool_checked_out") == 1)
    assert wait_until(served.ready)


def test_a_database_made_read_only(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), PG_OPTIONS="default_transaction_read_only=on")
    refused = served.client.post("/tools", json={"name": "late"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "takes no changes" in refused.json()["detail"]
    assert served.client.get("/tools").status_code == 200


def test_a_password_file_that_is_missing_for_a_while(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    away = database.password_file.rename(database.password_file.with_suffix(".away"))
    try:
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        refused = served.client.get("/tools")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert served.client.get("/readyz").status_code == 503
        assert served.metric("app_db_connection_errors_total") >= 1
        assert str(database.password_file) in served.log
        assert "Traceback" not in served.log
    finally:
        away.rename(database.password_file)
    assert served.client.get("/tools").status_code == 200


def test_a_lock_that_somebody_keeps(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), PG_OPTIONS="lock_timeout=200")
    with locked_table(database):
        refused = served.client.get("/tools")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    # It did answer, and nothing is wrong with the connection: neither may send an operator to the wrong place.
    assert "Another transaction" in refused.json()["detail"]
    assert served.metric("app_db_connection_errors_total") == 0


def test_no_session_stays_in_a_transaction(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), DB_POOL_SIZE="3")
    for _ in range(5):
        served.client.post("/tools", json={"name": "x"})
        served.client.get("/tools")
        served.ready()
    sessions = database.execute(
        f"SELECT state, application_name FROM pg_stat_activity WHERE datname = '{database.name}' AND usename = 'app'"
    )
    assert sessions == [("idle", f"app worker {served.workers()[0]}")] * 3
    assert wait_until(lambda: served.metric("app_db_pool_idle") == 3)


def test_a_defect_is_a_problem_and_is_logged(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    database.execute("DROP TABLE tools CASCADE")
    failed = served.client.get("/tools")
    assert failed.status_code == 500
    assert failed.headers["content-type"] == "application/problem+json"
    assert failed.json()["title"] == "Internal Server Error"
    assert "tools" not in failed.json()["detail"]
    assert "GET /tools failed" in served.log
    assert served.metric("http_requests_total", route="/tools", code="500") == 1
