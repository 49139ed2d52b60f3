"""What becomes of a request when another transaction is in the way, or the database goes at COMMIT."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from running_app import Database, Serve, Served
from running_postgres import wait_until

TOOL = {"name": "saw"}


def waits_for_a_lock(database: Database) -> bool:
    sql = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database.name}' AND wait_event_type = 'Lock'"
    return bool(database.postgres.execute(sql))


@pytest.fixture
def served(database: Database, serve: Serve) -> Served:
    """A running application with one tool and one resource."""
    served = serve(database.environ())
    assert served.client.post("/tools", json=TOOL).status_code == 201
    assert served.client.post("/resources", json={"tool_id": 1, "name": "x", "uri": "x:y"}).status_code == 201
    return served


def test_the_victim_of_a_deadlock_is_run_again(database: Database, served: Served) -> None:
    with ThreadPoolExecutor(1) as other, database.postgres.connect(database.name) as session:
        with session.transaction():
            # The application's session finds the deadlock, so it is the one that is ended.
            session.execute("SET LOCAL deadlock_timeout = '10min'")
            session.execute("UPDATE resources SET name = 'y' WHERE id = 1")
            deleted = other.submit(served.client.delete, "/tools/1")
            wait_until(lambda: waits_for_a_lock(database))
            session.execute("UPDATE tools SET description = 'z' WHERE id = 1")
        assert deleted.result().status_code == 204
    assert served.metric("app_db_retries_total") == 1
    assert database.execute("SELECT count(*) FROM tools") == [(0,)]
    assert database.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") >= [(1,)]


def test_a_serialization_failure_is_run_again(database: Database, serve: Serve) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_isolation = 'repeatable read'")
    served = serve(database.environ())
    served.client.post("/tools", json=TOOL)
    with ThreadPoolExecutor(1) as other, database.postgres.connect(database.name) as session:
        with session.transaction():
            session.execute("UPDATE tools SET description = 'other' WHERE id = 1")
            replaced = other.submit(served.client.put, "/tools/1", json={"name": "rip saw"})
            wait_until(lambda: waits_for_a_lock(database))
        assert replaced.result().json()["name"] == "rip saw"
    assert served.metric("app_db_retries_total") == 1
    assert database.execute("SELECT name, description FROM tools") == [("rip saw", "")]


def test_a_conflict_that_stays_is_for_the_client(database: Database, served: Served) -> None:
    database.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END$$"
    )
    database.execute("CREATE TRIGGER refuse BEFORE UPDATE ON tools FOR EACH ROW EXECUTE FUNCTION refuse()")
    refused = served.client.put("/tools/1", json={"name": "rip saw"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert served.metric("app_db_retries_total") == 3
    assert served.client.get("/tools/1").json()["name"] == "saw"
    wait_until(lambda: served.metric("app_db_pool_checked_out") == 0)


def test_a_read_meets_a_conflict_too(database: Database, serve: Serve) -> None:
    served = serve(database.environ())
    database.execute("CREATE SEQUENCE tries; GRANT USAGE ON SEQUENCE tries TO app")
    database.execute(
        "CREATE FUNCTION once() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN IF nextval('tries') = 1 THEN "
        "RAISE EXCEPTION 'conflict with recovery' USING ERRCODE = '40001'; END IF; RETURN true; END$$"
    )
    database.execute("INSERT INTO tools (name) VALUES ('saw'); ALTER TABLE tools ENABLE ROW LEVEL SECURITY")
    database.execute("CREATE POLICY once ON tools FOR SELECT TO app USING (once())")
    assert served.client.get("/tools/1").json()["name"] == "saw"
    assert served.metric("app_db_retries_total") == 1


def test_a_lost_commit_is_not_run_again(database: Database, served: Served) -> None:
    # The wait is where the end of the session is noticed.
    database.execute(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END$$"
    )
    database.execute(
        "CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON tools DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION leave()"
    )
    lost = served.client.post("/tools", json=TOOL)
    assert (lost.status_code, lost.headers["retry-after"]) == (503, "5")
    assert lost.json()["detail"].endswith("whether it did is not known.")
    # A second run would have taken another number.
    assert database.execute("SELECT last_value FROM tools_id_seq") == [(2,)]
    assert served.metric("app_db_retries_total") == 0
    assert served.client.get("/tools/1").status_code == 200
