"""Alerts of a stack on each engine: who is told, whether a test arrives, and what is held back."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from alert_receivers import WebReceiver, web_receiver
from monitoring_programs import MonitoringPrograms
from running_stack import Done, Stack, docker, eventually

SECRET, TOKEN = "hook-s3cret-path", "t0ken-of-the-hook"


@pytest.fixture(scope="module")
def told(
    engine: str, monitoring: MonitoringPrograms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, WebReceiver]]:
    """A running stack whose one receiver is a web server of ours, at an address that the stack can reach."""
    stack = Stack(tmp_path_factory.mktemp(f"alerts-{engine}"), engine)
    stack.variables["PATH"] = monitoring.path("alertmanager")
    stack.write()
    try:
        assert stack.run("alerts", "list", "--json").code == 21
        done = stack.up()
        assert "alerts_unsent" in codes(done)
        assert "alert_receivers" in warned(stack)
        assert stack.run("alerts", "test", "--json").document["errors"][0]["code"] == "no_receiver"
        with web_receiver(address(stack)) as web:
            (stack.folder / "hook.url").write_text(f"http://{address(stack)}:{web.port}/{SECRET}\n")
            (stack.folder / "hook.token").write_text(f"{TOKEN}\n")
            ops = {"kind": "webhook", "url_file": "hook.url", "token_file": "hook.token"}
            stack.write(alerts={"receivers": {"ops": ops}})
            done = stack.up()
            assert "alerts_unsent" not in codes(done)
            assert done.data["services"] == ["alertmanager"]
            yield stack, web
    finally:
        stack.remove()


def codes(done: Done) -> set[str]:
    return {warning["code"] for warning in done.document["warnings"]}


def warned(stack: Stack) -> set[str]:
    """Checks of health that warn."""
    checks = stack.run("health", "--json").data["checks"]
    return {check["id"] for check in checks if check["status"] == "warn"}


def address(stack: Stack) -> str:
    """This machine as the stack's Alertmanager sees it."""
    if stack.engine == "embedded":
        return "127.0.0.1"
    template = "{{(index .IPAM.Config 0).Gateway}}"
    return docker("network", "inspect", "--format", template, f"{stack.name}_services").out.strip()


def test_a_test_reaches_the_receiver(told: tuple[Stack, WebReceiver]) -> None:
    stack, web = told
    before = len(web.posted)
    done = stack.run("alerts", "test", "--json")
    assert done.code == 0, done.said
    (receiver,) = done.data["receivers"]
    assert (receiver["name"], receiver["kind"], receiver["delivered"]) == ("ops", "webhook", True)
    message = web.posted[before]
    assert (message.path, message.headers["Authorization"]) == (f"/{SECRET}", f"Bearer {TOKEN}")
    eventually(lambda: "StackctlTest" in web.names("resolved"), 20, "the test is over")
    assert "alert_receivers" not in warned(stack)


def test_the_secret_is_in_no_rendered_file_and_no_container_but_one(told: tuple[Stack, WebReceiver]) -> None:
    stack, _ = told
    for path in stack.rendered.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content, path
            assert TOKEN.encode() not in content, path
    if stack.engine == "docker":
        inspected = docker("inspect", stack.container("alertmanager"), stack.container("app")).out
        assert SECRET not in inspected
        assert "alert_ops_url" in docker("exec", stack.container("alertmanager"), "ls", "/run/secrets").out
        assert "alert_" not in docker("exec", stack.container("app"), "ls", "/run/secrets").out


@pytest.mark.full_on("embedded")
def test_what_follows_from_a_database_that_is_down_is_held_back(told: tuple[Stack, WebReceiver]) -> None:
    stack, web = told
    labels = [
        {"alertname": "PostgresDown", "severity": "critical"},
        {"alertname": "PoolSaturation", "severity": "warning"},
    ]
    alerts = [{"labels": {"stack": stack.name, **each}, "annotations": {"summary": "made up"}} for each in labels]
    url = stack.address("alertmanager", "/api/v2/alerts")
    assert httpx.post(url, json=alerts, timeout=10).status_code == 200
    try:
        found = {each["name"]: each for each in stack.run("alerts", "list", "--json").data["alerts"]}
        assert (found["PostgresDown"]["state"], found["PostgresDown"]["receivers"]) == ("firing", ["ops"])
        assert found["PoolSaturation"]["state"] == "inhibited"
        assert "PostgresDown" in stack.run("alerts", "list").out
        # A group waits for 30 s.
        eventually(lambda: "PostgresDown" in web.names(), 60, "the receiver is told of the cause")
        assert "PoolSaturation" not in web.names()
    finally:
        over = [{**each, "endsAt": "2026-01-01T00:00:00Z", "startsAt": "2025-01-01T00:00:00Z"} for each in alerts]
        httpx.post(url, json=over, timeout=10)


def test_a_changed_secret_is_brought_in_alone_and_a_wrong_one_is_found(told: tuple[Stack, WebReceiver]) -> None:
    stack, web = told
    file = stack.folder / "hook.url"
    right = file.read_text()
    identity = stack.identity()
    try:
        file.write_text(right.replace(str(web.port), "1"))
        assert stack.run("plan", "--json").data["services"] == ["alertmanager"]
        stack.up()
        done = stack.run("alerts", "test", "--receiver", "ops", "--json")
        assert done.code == 30
        (error,) = done.document["errors"]
        assert error["code"] == "alert_undelivered"
        assert "connection refused" in error["message"]
        assert SECRET not in done.said
    finally:
        file.write_text(right)
        stack.up()
    assert stack.run("alerts", "test").code == 0
    assert stack.run("plan", "--json").code == 0
    untouched = {name: each for name, each in stack.identity().items() if name != "alertmanager"}
    assert untouched.items() <= identity.items()


def test_a_receiver_that_was_taken_out_leaves_no_secret_and_a_stopped_stack_says_so(
    told: tuple[Stack, WebReceiver],
) -> None:
    stack, _ = told
    assert (stack.private / "secrets" / "alert_ops_url").is_file()
    stack.write()
    stack.up()
    assert not list((stack.private / "secrets").glob("alert_*"))
    assert stack.run("down").code == 0
    done = stack.run("alerts", "list", "--json")
    assert (done.code, done.document["errors"][0]["hint"]) == (30, "stackctl up")
