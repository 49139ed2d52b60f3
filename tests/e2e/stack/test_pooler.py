"""PgBouncer between app and database, on both engines: the same app, a bounded server, nothing lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

import running_pooler as pooler
from e2e.stack.conftest import NewStack
from promised_engine import require_pgbouncer
from running_stack import PROFILE, Stack, docker, eventually

# 4 GiB: max_connections 50, half of them for the role app; a tenth of these is not PgBouncer's.
ROLE_LIMIT, SERVERS = 25, 23
TIMEOUT_SECONDS = 3


@pytest.fixture(scope="module")
def pooled(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with PgBouncer whose statements end after three seconds."""
    if engine == "embedded":
        require_pgbouncer()
    made = Stack(tmp_path_factory.mktemp(f"pooled-{engine}"), engine)
    made.write(profile={**PROFILE, "pooler": "pgbouncer"}, app={"statement_timeout": f"{TIMEOUT_SECONDS}s"})
    try:
        made.up()
        yield made
    finally:
        made.remove()


def sessions(stack: Stack) -> int:
    return int(stack.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"))


def test_the_api_is_the_same_and_goes_through_it(pooled: Stack) -> None:
    with httpx.Client(base_url=pooled.address("app", ""), timeout=30) as client:
        made = client.post("/tools", json={"name": "chisel", "description": "for wood"})
        assert made.status_code == 201
        place = f"/tools/{made.json()['id']}"
        assert client.get(place).json()["description"] == "for wood"
        changed = client.put(place, json={"name": "chisel", "description": "for stone"})
        assert (changed.status_code, changed.json()["description"]) == (200, "for stone")
        found = client.get("/tools", params={"search": "CHIS"}).json()["items"]
        assert [tool["description"] for tool in found] == ["for stone"]
        assert client.delete(place).status_code == 204
        assert client.get(place).status_code == 404
        team = client.post("/teams", json={"name": "joiners"})
        assert team.status_code == 201
        member = {"email": "ann@example.org"}
        members = f"/teams/{team.json()['id']}/members"
        answers = [client.post(members, json=member).status_code for _ in range(2)]
        # A refusal of the database arrives as one.
        assert answers == [201, 409]
    assert int(pooler.pool_of_the_app(pooled)["cl_active"]) > 0
    servers = [row for row in pooler.shown(pooled, "SERVERS") if row["user"] == "app"]
    # Every session of the app's is one of PgBouncer's: none goes past it.
    assert 0 < sessions(pooled) == len(servers)


@pytest.mark.full_on("docker")
def test_the_database_still_ends_a_long_statement(pooled: Stack) -> None:
    pooled.sql(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN IF NEW.name = 'slow' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END$$; "
        "CREATE TRIGGER dawdle BEFORE INSERT ON tools FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    try:
        with ThreadPoolExecutor(10) as threads:
            url = pooled.address("app", "/tools")
            slow = [threads.submit(httpx.post, url, json={"name": "slow"}, timeout=40) for _ in range(10)]
            answers = [each.result() for each in slow]
        assert {answer.status_code for answer in answers} == {504}
        assert answers[0].headers["content-type"] == "application/problem+json"
        pooled.add_tools("quick, after ten slow ones")
        eventually(lambda: pooler.pool_of_the_app(pooled)["sv_active"] == "0", 20, "every server connection is free")
        assert pooled.sql("SELECT count(*) FROM tools WHERE name = 'slow'") == "0"
    finally:
        pooled.sql("DROP TRIGGER dawdle ON tools; DROP FUNCTION dawdle()")


@pytest.mark.full_on("docker")
def test_more_clients_than_connections_queue_and_are_all_served(pooled: Stack) -> None:
    assert pooled.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app'") == str(ROLE_LIMIT)
    most = 0
    with ExitStack() as opened, ThreadPoolExecutor(100) as threads:
        clients = [opened.enter_context(pooler.session(pooled, "app")) for _ in range(100)]
        waiting = [threads.submit(client.execute, "SELECT pg_sleep(0.5)") for client in clients]
        while not all(each.done() for each in waiting):
            most = max(most, sessions(pooled))
            time.sleep(0.05)
        assert [each.result().rowcount for each in waiting] == [1] * 100
        assert int(pooler.pool_of_the_app(pooled)["cl_active"]) >= 100
    # Reached, so that the bound is what held it; exceeded never.
    assert most == SERVERS


def test_prepared_statements_are_kept_where_this_version_carries_them(pooled: Stack) -> None:
    carried = pooler.version(pooled) >= (1, 22)
    ini = (pooled.rendered / "pgbouncer" / "pgbouncer.ini").read_text()
    assert ("\nmax_prepared_statements = 100\n" in ini) is carried
    warned = [w["code"] for w in pooled.up().document["warnings"]]
    assert ("pooler_unprepared" in warned) is not carried
    if not carried:
        file = "compose.yaml" if pooled.engine == "docker" else "supervisord.conf"
        assert 'PG_PREPARED_STATEMENT_CACHE="0"' in (pooled.rendered / file).read_text()
        return
    with pooler.session(pooled, "app") as first, pooler.session(pooled, "app") as second:
        for client in (first, second):
            client.prepare_threshold = 5
            for number in range(5):
                row = client.execute("SELECT %s::int * 7", (number,), prepare=True).fetchone()
                assert row == (number * 7,)
        kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%int * 7'"
        # Both clients were served by the connection that was free last, and share what it prepared.
        assert first.execute(kept).fetchone() == (1,)


@pytest.mark.parametrize("fault", [pooler.restart, pooler.kill])
def test_it_comes_back_by_itself_and_nothing_acknowledged_is_lost(pooled: Stack, fault) -> None:  # type: ignore[no-untyped-def]
    before = pooler.process(pooled)
    app = pooled.identity()["app"]
    with pooler.Traffic(pooled, clients=8) as traffic:
        eventually(lambda: traffic.codes[201] > 20, 30, "requests are served")
        fault(pooled)
        eventually(lambda: _other(pooled, before), 60, "another PgBouncer runs")
        served = traffic.codes[201]
        eventually(lambda: traffic.codes[201] > served + 20, 60, "requests are served again")
    assert set(traffic.codes) <= {200, 201, 503}, traffic.codes
    assert pooled.identity()["app"] == app
    stored = {int(row) for row in pooled.sql("SELECT id FROM tools").split()}
    assert traffic.acknowledged <= stored
    eventually(lambda: pooled.run("health").code == 0, 60, "health agrees")


def _other(stack: Stack, before: int) -> bool:
    try:
        return pooler.process(stack) != before
    except ValueError:
        return False


def test_it_survives_a_restart_of_the_database(pooled: Stack) -> None:
    """Sessions that were opened with a client's key are opened again with it."""
    here = pooler.process(pooled)
    with pooler.Traffic(pooled, clients=4) as traffic:
        eventually(lambda: traffic.codes[201] > 10, 30, "requests are served")
        pooled.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
        assert pooled.run("up", "--set", "max_locks_per_transaction=80").code == 0
        served = traffic.codes[201]
        eventually(lambda: traffic.codes[201] > served + 10, 60, "requests are served again")
    assert set(traffic.codes) <= {200, 201, 503}, traffic.codes
    assert pooled.sql("SHOW max_locks_per_transaction") == "80"
    assert traffic.acknowledged <= {int(row) for row in pooled.sql("SELECT id FROM tools").split()}
    assert pooler.process(pooled) == here


def test_only_the_app_and_the_monitor_come_in_and_with_their_passwords(pooled: Stack) -> None:
    for role, password in (("app", "wrong"), ("owner", None), ("backup", None)):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            pooler.session(pooled, role, password=password)
    # The migration's tables are there all the same: it came in past the pooler.
    assert pooled.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'tools'") == "owner"
    with pytest.raises(psycopg.OperationalError, match="not allowed"):
        pooler.session(pooled, "app", database="pgbouncer")
    with pooler.session(pooled, "monitor", database="pgbouncer") as console:
        assert b"admin access needed" in console.pgconn.exec_(b"PAUSE").error_message


def test_the_operator_sees_it(pooled: Stack) -> None:
    listed = {each["name"]: each["health"] for each in pooled.run("status", "--json").data["services"]}
    assert listed["pgbouncer"] == "healthy"
    checks = {each["id"]: each["status"] for each in pooled.run("health", "--json").data["checks"]}
    assert checks["service_pgbouncer"] == "ok"
    assert "process up: PgBouncer" in pooler.log(pooled)
    assert "login attempt" not in pooler.log(pooled)
    assert pooled.run("plan").code == 0


def test_no_password_and_no_verifier_is_to_be_seen(pooled: Stack) -> None:
    places = {str(file): file.read_text(errors="replace") for file in pooled.rendered.rglob("*") if file.is_file()}
    places["log"] = pooled.run("logs", "--tail", "5000").out
    if pooled.engine == "docker":
        ids = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={pooled.name}").out.split()
        places["inspect"] = docker("inspect", *ids).out
    here = pooler.process(pooled)
    for name in ("environ", "cmdline"):
        places[name] = Path(f"/proc/{here}/{name}").read_bytes().decode(errors="replace")
    assert "pgbouncer.ini" in places["cmdline"]
    secrets = pooled.secrets()
    assert pooled.secret("app_verifier") in secrets["pgbouncer_userlist"]
    assert pooled.secret("app_password") not in secrets["pgbouncer_userlist"]
    for name, secret in secrets.items():
        for part in (line.split('"')[-2] if '"' in line else line for line in secret.splitlines()):
            assert [place for place, text in places.items() if part in text] == [], name


@pytest.mark.full_on("docker")
def test_a_changed_limit_restarts_the_pooler_and_the_app_only(pooled: Stack) -> None:
    pooled.variables["DB_POOL_TIMEOUT"] = "6"
    try:
        before = pooled.identity()["postgres"]
        planned = pooled.run("plan", "--json").data
        assert planned["services"] == ["app", "pgbouncer"]
        assert {"path": "pgbouncer/pgbouncer.ini", "change": "changed"} in planned["files"]
        pooled.up()
        known = {row["key"]: row["value"] for row in pooler.shown(pooled, "CONFIG")}
        assert known["query_wait_timeout"] == "2"
        assert pooled.identity()["postgres"] == before
        refuses_when_all_connections_are_held(pooled)
    finally:
        del pooled.variables["DB_POOL_TIMEOUT"]
        pooled.up()
    assert pooled.run("plan").code == 0


def refuses_when_all_connections_are_held(stack: Stack) -> None:
    """The wait at PgBouncer ends as the one for the app's own pool does."""
    with ExitStack() as opened:
        for _ in range(SERVERS):
            opened.enter_context(pooler.session(stack, "app")).execute("BEGIN")
        answer = httpx.get(stack.address("app", "/tools"), timeout=30)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    eventually(lambda: stack.get("app", "/tools").status_code == 200, 20, "it serves again")


@pytest.mark.full_on("docker")
def test_it_can_be_had_later_and_given_up_again(new_stack: NewStack, engine: str) -> None:
    if engine == "embedded":
        require_pgbouncer()
    stack = new_stack(engine)
    stack.up()
    stack.add_tools("before the pooler")
    done = stack.run("plan", "--pooler", "pgbouncer", "--json")
    assert done.code == 12, done.said
    assert {"path": "pgbouncer/pgbouncer.ini", "change": "added"} in done.data["files"]
    assert {"app", "pgbouncer"} <= set(done.data["services"])
    stack.up("--pooler", "pgbouncer")
    stack.add_tools("through the pooler")
    assert 0 < sessions(stack) <= SERVERS
    assert int(pooler.pool_of_the_app(stack)["cl_active"]) > 0
    # Remembered, like every flag of the profile.
    assert stack.run("plan").code == 0
    stack.up("--pooler", "none")
    assert "pgbouncer" not in {each["name"] for each in stack.run("status", "--json").data["services"]}
    assert not any("pgbouncer" in found for found in stack.processes().values())
    assert stack.tools() == {"before the pooler", "through the pooler"}
    assert stack.run("plan").code == 0
    assert stack.run("down").code == 0
    assert stack.leftovers() == []
