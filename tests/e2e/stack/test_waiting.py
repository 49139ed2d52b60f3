"""A database that answers late or not at all: nobody waits longer than promised. Both engines at once, to save time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from e2e.stack.conftest import ENGINES
from e2e.stack.pool_watch import Watch, gunicorn, metric, most_connections, pool_is_idle, root_process, stored, workers
from http_load import Load, get, post
from network_cut import cut, inside_network_of, own_network, require_network_tools
from running_stack import Stack, eventually

STATEMENT_TIMEOUT_SECONDS = 30
POOL_TIMEOUT_SECONDS = 30
# What was sent is given up after 10 s without a sign, and so is a new connection after that.
LOST_SECONDS = 20
# A machine with two cores is shared with the clients.
MARGIN_SECONDS = 10
SLOW = """
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(35); RETURN NEW; END';
CREATE TRIGGER nap BEFORE INSERT ON tools FOR EACH ROW WHEN (NEW.name LIKE 'slow %') EXECUTE FUNCTION nap();
"""
Both = Callable[[Callable[[Stack], None]], None]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[Both]:
    """Do the same to a stack of each engine at the same time; the embedded one is in a network of its own."""
    require_network_tools()
    made = [Stack(tmp_path_factory.mktemp(f"waiting-{engine}"), engine) for engine in ENGINES]
    with ThreadPoolExecutor(len(made)) as threads, ExitStack() as at_the_end:
        at_the_end.callback(lambda: list(threads.map(Stack.remove, made)))
        list(threads.map(_up, made))

        def run(work: Callable[[Stack], None]) -> None:
            for done in [threads.submit(_inside, stack, work) for stack in made]:
                done.result()

        yield run


def _up(stack: Stack) -> None:
    with ExitStack() as place:
        if stack.engine == "embedded":
            place.enter_context(own_network())
        stack.write()
        stack.up()


def _inside(stack: Stack, work: Callable[[Stack], None]) -> None:
    with ExitStack() as place:
        if stack.engine == "embedded":
            place.enter_context(inside_network_of(stack.supervisor()))
        work(stack)


def refusals_say_when_to_come_back(load: Load) -> bool:
    return all(int(each.retry_after) > 0 for each in load.outcomes if each.status == 503)


def test_slow_statements_end_in_504_and_the_queue_behind_them_in_503(both: Both) -> None:
    both(two_hundred_slow_statements)


def two_hundred_slow_statements(stack: Stack) -> None:
    stack.sql(SLOW)
    with ThreadPoolExecutor(1) as other, Watch(stack) as watch:
        first = other.submit(timed_post, stack, "slow one")
        time.sleep(1)
        with (
            Load(stack.ports["app"], post("/tools", "slow"), clients=200, total=200) as slow,
            Load(stack.ports["app"], get("/tools?limit=1"), clients=5, pause=0.5) as quick,
        ):
            slow.wait()
        answer, seconds = first.result()
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert STATEMENT_TIMEOUT_SECONDS - 1 < seconds < STATEMENT_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert slow.troubles == quick.troubles == {}
    assert set(slow.statuses) == {503, 504}
    assert set(quick.statuses) <= {200, 503}
    assert refusals_say_when_to_come_back(slow)
    assert refusals_say_when_to_come_back(quick)
    longest = STATEMENT_TIMEOUT_SECONDS + POOL_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert max(slow.slowest, quick.slowest) < longest
    # Behind slow statements the pools grow; how far depends on how the kernel spread the clients over the workers.
    assert metric(stack, "app_db_pool_size") < watch.most <= most_connections(stack)
    assert watch.stuck == 0
    assert stored(stack, "slow") == set()
    stack.sql("DROP TRIGGER nap ON tools; DROP FUNCTION nap()")
    eventually(lambda: pool_is_idle(stack), 30, "the pool is idle again")
    with Load(stack.ports["app"], get("/tools?limit=1"), clients=1, total=100) as after:
        after.wait()
    assert after.statuses == {200: 100}


def timed_post(stack: Stack, name: str) -> tuple[httpx.Response, float]:
    started = time.monotonic()
    answer = httpx.post(stack.address("app", "/tools"), json={"name": name}, timeout=120)
    return answer, time.monotonic() - started


def test_a_cut_between_app_and_database_is_answered_and_heals(both: Both) -> None:
    both(a_cut_that_heals)


def a_cut_that_heals(stack: Stack) -> None:
    before = (gunicorn(stack).pid, workers(stack))
    server, port = root_process(stack, "postgres"), 5432 if stack.engine == "docker" else stack.ports["postgres"]
    with (
        Load(stack.ports["app"], post("/tools", "cut"), clients=20, pause=0.05) as writing,
        Load(stack.ports["app"], get("/tools?limit=50"), clients=20, pause=0.05) as reading,
    ):
        eventually(lambda: len(writing.acknowledged) > 100 and len(reading.outcomes) > 100, 60, "the load runs")
        with cut(server, port):
            eventually(lambda: writing.statuses.get(503) and reading.statuses.get(503), 60, "clients are sent away")
            assert stack.get("app", "/healthz").status_code == 200
            assert stack.get("app", "/readyz").status_code == 503
            time.sleep(15)
        healed = time.monotonic()
        eventually(stack.healthy, 30, "the app is ready again")
        for load in (writing, reading):
            eventually(lambda load=load: answered_since(load, healed), 30, "requests are served again")
    assert writing.troubles == reading.troubles == {}
    assert set(writing.statuses) == {201, 503}
    assert set(reading.statuses) == {200, 503}
    assert refusals_say_when_to_come_back(writing)
    assert refusals_say_when_to_come_back(reading)
    assert max(writing.slowest, reading.slowest) < POOL_TIMEOUT_SECONDS + LOST_SECONDS + MARGIN_SECONDS
    assert stored(stack, "cut") >= set(writing.acknowledged)
    assert (gunicorn(stack).pid, workers(stack)) == before
    # The server has noticed that the sessions from before the cut have no client.
    eventually(lambda: pool_is_idle(stack), 60, "the pool is idle again")


def answered_since(load: Load, moment: float) -> bool:
    return len([each for each in load.outcomes if each.began > moment and each.status in (200, 201)]) > 20
