"""Drift of a running stack: told by name, never written over, and never taken for a change that `up` makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from running_stack import Done, Stack, eventually

CHANGES_PENDING = 12


def warnings(done: Done) -> dict[str, str]:
    """Messages of the warnings by code."""
    found: dict[str, str] = {}
    for warning in done.document["warnings"]:
        found[warning["code"]] = found.get(warning["code"], "") + warning["message"] + "; "
    return found


def checks(stack: Stack) -> dict[str, dict[str, str]]:
    return {check["id"]: check for check in stack.run("health", "--json").data["checks"]}


@contextmanager
def alter_system(stack: Stack, **values: str) -> Iterator[None]:
    """Values set by ALTER SYSTEM, which the running server has read; all are taken back at the end."""
    try:
        for name, value in values.items():
            stack.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        reload_by_hand(stack)
        yield
    finally:
        stack.sql("ALTER SYSTEM RESET ALL")
        reload_by_hand(stack)


def reload_by_hand(stack: Stack) -> None:
    before = stack.sql("SELECT pg_conf_load_time()")
    stack.sql("SELECT pg_reload_conf()")
    eventually(lambda: stack.sql("SELECT pg_conf_load_time()") != before, 10, "the server has reloaded")


@pytest.mark.full_on("docker")
def test_alter_system_beside_the_profile_is_told_and_left_as_it_is(stack: Stack) -> None:
    before = stack.identity()
    with alter_system(stack, work_mem="1GB", jit="off"):
        planned = stack.run("plan", "--json")
        assert (planned.code, planned.data["parameters"]) == (0, []), planned.said
        jit, work_mem = planned.data["drift"]
        assert (jit["name"], jit["value"], jit["wanted"]) == ("jit", "off", "off")
        fix = "ALTER SYSTEM RESET work_mem; SELECT pg_reload_conf();"
        shown = {key: work_mem[key] for key in ("name", "value", "source", "action", "fix", "waits", "above_proof")}
        assert shown == {
            "name": "work_mem",
            "value": "1GB",
            "source": "ALTER SYSTEM",
            "action": "reload",
            "fix": fix,
            "waits": "",
            "above_proof": True,
        }
        assert "work_mem = 1GB" in warnings(planned)["alter_system"]
        assert "jit" not in warnings(planned)["alter_system"]
        assert "work_mem = 1GB set by ALTER SYSTEM" in warnings(planned)["memory_proof"]
        for _ in range(2):
            done = stack.up()
            assert done.data["changed"] is False
            assert "work_mem = 1GB" in warnings(done)["alter_system"]
        assert stack.sql("SHOW work_mem") == "1GB"
        assert stack.run("status", "--json").data["drift"]["alter_system"] == ["jit", "work_mem"]
        found = checks(stack)
        assert [found[name]["status"] for name in ("alter_system", "memory_proof", "drift")] == ["warn", "warn", "ok"]
        assert "work_mem = 1GB (wanted" in found["alter_system"]["evidence"]
        assert "work_mem = 1GB set by ALTER SYSTEM" in found["memory_proof"]["evidence"]
    assert stack.run("plan", "--json").data["drift"] == []
    assert stack.identity() == before


@pytest.mark.full_on("docker")
def test_the_line_that_takes_a_value_back_works_as_it_is_printed(stack: Stack) -> None:
    sized = stack.sql("SHOW work_mem")
    with alter_system(stack, work_mem="5MB"):
        (drift,) = stack.run("plan", "--json").data["drift"]
        for statement in drift["fix"].strip(";").split("; "):
            stack.sql(statement)
        eventually(lambda: stack.sql("SHOW work_mem") == sized, 10, "the server has reloaded")
    assert drift["wanted"] == sized


@pytest.mark.full_on("docker")
def test_a_change_that_alter_system_hides_is_written_and_not_called_effective(stack: Stack) -> None:
    """Beside one that has its effect."""
    before = stack.identity()
    with alter_system(stack, work_mem="5MB"):
        # Pinned too, as a smaller work_mem leaves hashes more.
        words = ("--set", "work_mem=2MB", "--set", "hash_mem_multiplier=1.0")
        words = (*words, "--set", "log_min_duration_statement=100ms")
        planned = stack.run("plan", *words, "--json")
        assert planned.code == CHANGES_PENDING
        assert [change["name"] for change in planned.data["parameters"]] == ["log_min_duration_statement"]
        assert [(each["wanted"], each["hides_change"]) for each in planned.data["drift"]] == [("2MB", True)]
        assert "no effect until ALTER SYSTEM RESET: work_mem = 2MB" in warnings(planned)["alter_system"]
        try:
            done = stack.up(*words)
            assert done.data["changed"] is True
            assert "work_mem = 5MB (wanted 2MB)" in warnings(done)["alter_system"]
            assert (stack.sql("SHOW work_mem"), stack.sql("SHOW log_min_duration_statement")) == ("5MB", "100ms")
            assert "\nwork_mem = 2MB " in (stack.rendered / "postgres/postgresql.conf").read_text()
            stack.sql("ALTER SYSTEM RESET work_mem")
            reload_by_hand(stack)
            assert stack.sql("SHOW work_mem") == "2MB"
        finally:
            stack.up("--ram", "4G")
    assert stack.identity() == before


@pytest.mark.full_on("docker")
def test_a_restart_also_brings_into_force_what_alter_system_left_waiting(stack: Stack) -> None:
    begun = stack.sql("SELECT pg_postmaster_start_time()")
    with alter_system(stack, max_connections="55"):
        waiting = stack.run("plan", "--json")
        assert (waiting.code, waiting.data["drift"][0]["waits"]) == (0, "restart")
        assert "max_connections 50 -> 55 (ALTER SYSTEM)" in checks(stack)["pending_restart"]["evidence"]
        # What waits is no reason to fail a reload, nor to restart.
        try:
            stack.up("--set", "log_min_duration_statement=100ms")
            assert (stack.sql("SELECT pg_postmaster_start_time()"), stack.sql("SHOW max_connections")) == (begun, "50")
            planned = stack.run("plan", "--set", "wal_buffers=8MB", "--json")
            said = "the restart also brings into force: max_connections = 55"
            assert said in warnings(planned)["alter_system"]
            assert [change["name"] for change in planned.data["parameters"] if change["action"] == "restart"] == [
                "wal_buffers"
            ]
            done = stack.up("--set", "wal_buffers=8MB")
            assert "max_connections = 55 (wanted 50)" in warnings(done)["alter_system"]
            assert stack.sql("SHOW max_connections") == "55"
            (drift,) = stack.run("plan", "--json").data["drift"]
            assert drift["fix"].startswith("ALTER SYSTEM RESET max_connections; -- then stackctl up")
            stack.sql("ALTER SYSTEM RESET max_connections")
        finally:
            stack.up("--ram", "4G")
        assert stack.sql("SHOW max_connections") == "50"
    assert eventually(stack.healthy, 20, "the app is ready again")
    assert stack.run("plan").code == 0


@pytest.mark.full_on("docker")
def test_settings_of_roles_and_databases_are_told(stack: Stack) -> None:
    stack.sql("ALTER DATABASE app SET work_mem = '64MB'")
    try:
        planned = stack.run("plan", "--json")
        assert planned.code == 0
        (drift,) = planned.data["drift"]
        assert (drift["source"], drift["value"], drift["action"]) == ("ALTER DATABASE app", "64MB", "reconnect")
        assert "work_mem = 64MB" in warnings(planned)["drift"]
        assert "work_mem = 64MB" in checks(stack)["drift"]["evidence"]
    finally:
        stack.sql("ALTER DATABASE app RESET work_mem")
    assert stack.run("plan", "--json").data["drift"] == []
