"""Changes to a running stack: shown before they are made, and made with no more disturbance than they need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from running_stack import Stack, eventually

CHANGES_PENDING = 12
only_embedded = pytest.mark.parametrize("engine", ["embedded"], indirect=True)


def server_start(stack: Stack) -> str:
    return stack.sql("SELECT pg_postmaster_start_time()")


@contextmanager
def reading(stack: Stack) -> Iterator[list[str]]:
    """Read through the API all the while; gives what failed."""
    failed: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.wait(0.02):
            try:
                answer = httpx.get(stack.address("app", "/tools?limit=1"), timeout=10)
            except httpx.TransportError as error:
                failed.append(repr(error))
            else:
                if answer.status_code != 200:
                    failed.append(answer.text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield failed
    finally:
        stop.set()
        reader.join(30)


@pytest.mark.full_on("docker")
def test_plan_for_a_smaller_machine_names_each_value_old_and_new(stack: Stack) -> None:
    before = stack.identity()
    done = stack.run("plan", "--ram", "3G", "--json")
    assert done.code == CHANGES_PENDING, done.said
    assert done.document["ok"] is True
    changes = {change["name"]: change for change in done.data["parameters"]}
    assert changes["shared_buffers"] == {
        "name": "shared_buffers",
        "old": "1GB",
        "new": "768MB",
        "action": "restart",
    }
    assert changes["maintenance_work_mem"]["old"] == "256MB"
    assert changes["maintenance_work_mem"]["new"] == "192MB"
    assert changes["maintenance_work_mem"]["action"] == "reload"
    assert "postgres" in done.data["services"]
    assert "postgres/postgresql.conf" in {change["path"] for change in done.data["files"]}
    text = stack.run("plan", "--ram", "3G").out
    (line,) = (line for line in text.splitlines() if line.startswith("shared_buffers"))
    assert line.split() == ["shared_buffers", "1GB", "768MB", "restart"]
    # Asking changed nothing.
    assert stack.identity() == before
    assert stack.run("plan").code == 0


def test_a_reload_is_enough_for_what_needs_no_restart(stack: Stack) -> None:
    before, begun = stack.identity(), server_start(stack)
    planned = stack.run("plan", "--set", "log_min_duration_statement=100ms", "--json")
    assert planned.code == CHANGES_PENDING
    assert planned.data["parameters"] == [
        {"name": "log_min_duration_statement", "old": "1s", "new": "100ms", "action": "reload"}
    ]
    assert planned.data["services"] == []
    with reading(stack) as failed:
        try:
            assert stack.up("--set", "log_min_duration_statement=100ms").data["changed"] is True
            assert stack.sql("SHOW log_min_duration_statement") == "100ms"
            assert stack.run("plan").code == 0, "what was given last is not remembered"
        finally:
            stack.up("--ram", "4G")
    assert failed == []
    assert stack.sql("SHOW log_min_duration_statement") == "1s"
    assert stack.identity() == before
    assert server_start(stack) == begun


def test_a_restart_touches_the_database_only_and_the_app_recovers(stack: Stack) -> None:
    before = stack.identity()
    stack.add_tools("before the restart")
    try:
        assert stack.up("--set", "wal_buffers=8MB").data["changed"] is True
        assert stack.sql("SHOW wal_buffers") == "8MB"
        after = stack.identity()
        assert [name for name in before if before[name] != after[name]] == ["postgres"]
        assert eventually(stack.healthy, 20, "the app is ready again")
        assert "before the restart" in stack.tools()
    finally:
        stack.up("--ram", "4G")
    assert stack.sql("SHOW wal_buffers") == "16MB"
    assert stack.identity()["app"] == before["app"]


def test_the_workers_of_autovacuum_need_a_restart_before_18(stack: Stack) -> None:
    planned = stack.run("plan", "--set", "autovacuum_max_workers=5", "--json")
    (change,) = (each for each in planned.data["parameters"] if each["name"] == "autovacuum_max_workers")
    newer = int(stack.sql("SHOW server_version_num")) >= 180000
    assert change["action"] == ("reload" if newer else "restart")
    assert ("postgres" in planned.data["services"]) is not newer


@pytest.mark.full_on("docker")
def test_the_apps_own_settings_restart_the_app_alone(stack: Stack) -> None:
    before, begun = stack.identity(), server_start(stack)
    stack.variables["DB_POOL_TIMEOUT"] = "7"
    try:
        planned = stack.run("plan", "--json")
        assert (planned.data["services"], planned.data["parameters"]) == (["app"], [])
        stack.up()
        after = stack.identity()
        assert [name for name in before if before[name] != after[name]] == ["app"]
    finally:
        del stack.variables["DB_POOL_TIMEOUT"]
        stack.up()
    assert server_start(stack) == begun
    assert stack.healthy()


def test_a_server_that_has_not_read_its_files_is_told_to(stack: Stack) -> None:
    """As an interrupted `up` leaves it: the files are right, the server has another value."""
    before = stack.identity()
    stack.sql("ALTER SYSTEM SET log_min_duration_statement = '7s'")
    stack.sql("SELECT pg_reload_conf()")
    eventually(lambda: stack.sql("SHOW log_min_duration_statement") == "7s", 10, "the server has reloaded")
    stack.sql("ALTER SYSTEM RESET log_min_duration_statement")
    planned = stack.run("plan", "--json")
    assert planned.code == CHANGES_PENDING
    assert planned.data["files"] == []
    assert planned.data["parameters"] == [
        {"name": "log_min_duration_statement", "old": "7s", "new": "1s", "action": "reload"}
    ]
    stack.up()
    eventually(lambda: stack.sql("SHOW log_min_duration_statement") == "1s", 5, "the server has reloaded")
    assert stack.identity() == before


def test_ssl_without_a_certificate_fails_at_once_and_not_at_the_next_start(stack: Stack) -> None:
    """The server shows it as on after a reload, and only its log says otherwise; one without SSL refuses the line."""
    before = stack.identity()
    done = stack.run("up", "--set", "ssl=on", "--json")
    assert done.code == 20, done.said
    message = done.document["errors"][0]["message"]
    assert "server.crt" in message or "refuses ssl = on" in message
    assert stack.engine == "embedded" or "server.crt" in message
    assert stack.sql("SHOW ssl") == "off"
    assert stack.run("plan").code == 0
    assert stack.identity() == before


@only_embedded
def test_a_line_that_the_running_server_refuses_is_not_called_applied(stack: Stack) -> None:
    identity = stack.identity()
    before = stack.rendered.joinpath("postgres/postgresql.conf").read_bytes()
    done = stack.run("up", "--set", "TimeZone=Nowhere/Land", "--json")
    assert done.code == 20, done.said
    assert "TimeZone" in done.document["errors"][0]["message"]
    assert stack.rendered.joinpath("postgres/postgresql.conf").read_bytes() == before
    assert stack.run("plan").code == 0
    assert stack.healthy()
    assert stack.sql("SELECT error FROM pg_file_settings WHERE error IS NOT NULL") == ""
    assert stack.identity() == identity


@only_embedded
def test_a_new_port_of_the_app_moves_the_app_and_leaves_the_database_running(stack: Stack) -> None:
    begun, old = server_start(stack), dict(stack.ports)
    spare = Stack(stack.folder, stack.engine)
    spare.write()
    try:
        stack.ports = {**old, "app": spare.ports["app"], "metrics": spare.ports["metrics"]}
        stack.write()
        assert stack.run("plan").code == CHANGES_PENDING
        stack.up()
        assert stack.get("app", "/healthz").status_code == 200
        assert stack.get("metrics", "/metrics").status_code == 200
    finally:
        stack.ports = old
        stack.write()
        stack.up()
    assert server_start(stack) == begun
    assert stack.healthy()
