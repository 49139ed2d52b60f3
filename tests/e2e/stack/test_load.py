"""Many clients at once: as many as expected, four times as many, and a thousand at the start."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import psutil
import pytest

from e2e.stack.pool_watch import (
    Watch,
    cpu_seconds,
    gunicorn,
    most_connections,
    pool_is_idle,
    root_process,
    sessions_begun,
    stored,
)
from http_load import Load, get, post
from running_stack import Stack, eventually

Record = Callable[[str, object], None]
LIST = "/tools?limit=50"
POOL_TIMEOUT_SECONDS = 30
# A machine with two cores is shared with the clients.
MARGIN_SECONDS = 10


@pytest.fixture(autouse=True)
def rows(stack: Stack) -> None:
    """A page of tools to read."""
    missing = 60 - int(stack.sql("SELECT count(*) FROM tools"))
    if missing > 0:
        stack.sql(f"INSERT INTO tools (name, description) SELECT 'row ' || n, '' FROM generate_series(1, {missing}) n")


def all_answered(load: Load) -> bool:
    """Every request was answered with 200, or with 503 and when to come back."""
    refusals = [each for each in load.outcomes if each.status == 503]
    assert load.troubles == {}
    assert set(load.statuses) <= {200, 503}
    return all(int(each.retry_after) > 0 for each in refusals)


@pytest.mark.full_on("docker")
def test_a_hundred_clients_for_a_minute_see_no_error_and_share_the_connections(
    stack: Stack, record_property: Record
) -> None:
    eventually(lambda: pool_is_idle(stack), 60, "the pool is idle")
    most, postmaster = most_connections(stack), root_process(stack, "postgres")
    before, begun, started = cpu_seconds(postmaster), sessions_begun(stack), time.monotonic()
    with Watch(stack) as watch, Load(stack.ports["app"], get(LIST), clients=100) as load:
        time.sleep(60)
        eventually(lambda: len(load.outcomes) > 10_000, 120, "10,000 requests were made")
    seconds = time.monotonic() - started
    cpu, rate = (cpu_seconds(postmaster) - before) / seconds, len(load.outcomes) / seconds
    said = f"{stack.engine}: 100 clients, {rate:.0f} requests/s, {cpu:.0%} of a CPU for the database"
    record_property("measured", said)
    assert load.troubles == {}
    assert set(load.statuses) == {200}
    assert watch.samples > 20
    assert 0 < watch.most <= most
    assert watch.stuck == 0
    # Monitoring has sessions of its own in this database, one at each scrape: every 15 s, and some to spare.
    monitoring = 2 * seconds / 15 if stack.engine == "docker" else 0
    assert sessions_begun(stack) - begun <= most + monitoring
    eventually(lambda: pool_is_idle(stack), 30, "the pool is idle again")


@pytest.mark.full_on("embedded")
def test_five_hundred_requests_in_a_second_leave_the_database_a_third_of_its_cpu(
    stack: Stack, record_property: Record
) -> None:
    """Paced, at 100 clients. A machine that is busy gives fewer; what one costs the database is the same."""
    cpus = next(share["cpus"] for share in stack.run("size", "--json").data["budget"] if share["service"] == "postgres")
    postmaster = root_process(stack, "postgres")
    before, started = cpu_seconds(postmaster), time.monotonic()
    with Load(stack.ports["app"], get(LIST), clients=100, rate=500) as load:
        time.sleep(30)
    used, rate = cpu_seconds(postmaster) - before, len(load.outcomes) / (time.monotonic() - started)
    at_500 = used / len(load.outcomes) * 500 / cpus
    said = f"{stack.engine}: {rate:.0f} requests/s; 500 take {at_500:.0%} of the database's CPU"
    record_property("measured", said)
    assert set(load.statuses) == {200}
    assert load.troubles == {}
    assert rate < 510
    assert at_500 < 0.7


@pytest.mark.full_on("docker")
def test_four_times_as_many_are_answered_or_sent_away_and_then_all_is_well(stack: Stack) -> None:
    with Watch(stack) as watch, Load(stack.ports["app"], get(LIST), clients=400) as load:
        time.sleep(20)
    assert all_answered(load)
    assert load.slowest < POOL_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert watch.most <= most_connections(stack)
    assert watch.stuck == 0
    with Load(stack.ports["app"], get(LIST), clients=1, total=100) as after:
        after.wait()
    assert after.statuses == {200: 100}
    eventually(lambda: pool_is_idle(stack), 30, "the pool is idle again")


@pytest.mark.full_on("docker")
def test_a_thousand_clients_that_wait_at_the_start_are_all_served(stack: Stack) -> None:
    """They connect while there is no app, and whoever asks once it says that it is ready gets an answer."""
    old = gunicorn(stack)
    old.send_signal(signal.SIGTERM)
    psutil.wait_procs([old], 60)
    with Load(stack.ports["app"], get(LIST), clients=1000, patience=90) as load:
        eventually(lambda: load.statuses.get(200), 90, "the first is served")
        eventually(stack.healthy, 60, "the app says that it is ready")
        ready = time.monotonic()
        eventually(lambda: len([each for each in load.outcomes if each.began > ready]) > 1000, 90, "all were served")
    late = [each for each in load.outcomes if each.began > ready]
    assert {(each.status, each.trouble) for each in late} == {(200, "")}
    # Nobody hangs. Before the app listens, a client is refused; on Docker the published port takes it and closes.
    assert set(load.troubles) <= {"refused", "broken"}
    assert load.slowest < POOL_TIMEOUT_SECONDS + MARGIN_SECONDS
    eventually(lambda: pool_is_idle(stack), 60, "the pool is idle again")


def test_who_is_in_the_house_is_served_when_the_app_is_told_to_stop(stack: Stack) -> None:
    """SIGTERM under load: whatever was acknowledged is stored, and whatever was begun is answered."""
    before = gunicorn(stack)
    with Load(stack.ports["app"], post("/tools", "drained"), clients=20, pause=0.02) as load:
        eventually(lambda: len(load.acknowledged) > 100, 60, "the load runs")
        told = time.monotonic()
        before.send_signal(signal.SIGTERM)
        psutil.wait_procs([before], 60)
        ended = time.monotonic()
        eventually(stack.healthy, 60, "a new app is ready")
        eventually(lambda: [each for each in load.outcomes if each.began > ended and each.status == 201], 60, "on")
    assert ended - told < 40
    in_flight = [each for each in load.outcomes if each.began <= told]
    assert {(each.status, each.trouble) for each in in_flight} == {(201, "")}
    assert set(load.statuses) <= {201, 503}
    assert stored(stack, "drained") >= set(load.acknowledged)
    eventually(lambda: pool_is_idle(stack), 60, "the pool is idle again")
