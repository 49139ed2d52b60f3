"""Processes killed under load: only what they were doing is lost, and all comes back by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from e2e.stack.pool_watch import gunicorn, metric, pool_is_idle, root_process, stored, workers
from http_load import Load, post
from running_stack import Stack, eventually

POOL_SIZE = 10
WORKERS = 2


def victims(stack: Stack, who: str) -> list[int]:
    found = {
        "one worker": lambda: workers(stack)[:1],
        "all workers": lambda: workers(stack),
        "gunicorn": lambda: [gunicorn(stack).pid],
        "postmaster": lambda: [root_process(stack, "postgres")],
        "one session": lambda: children(stack, " app app ")[:1],
        "archiver": lambda: children(stack, " archiver"),
    }
    return found[who]()


def children(stack: Stack, title: str) -> list[int]:
    """Of the postmaster, those that call themselves so."""
    every = psutil.Process(root_process(stack, "postgres")).children()
    return [child.pid for child in every if title in " ".join(child.cmdline())]


def replaced(stack: Stack, who: str, killed: list[int]) -> bool:
    with suppress(ValueError, psutil.NoSuchProcess):
        now = victims(stack, who)
        return len(now) == len(killed) and 0 not in now and not set(now) & set(killed)
    return False


@contextmanager
def scraped(stack: Stack) -> Iterator[list[tuple[float, float]]]:
    """The pools' size and the number of all requests, again and again."""
    seen: list[tuple[float, float]] = []
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(0.1):
            with suppress(httpx.TransportError):
                seen.append((metric(stack, "app_db_pool_size"), metric(stack, "http_requests_total")))

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    yield seen
    stop.set()
    thread.join()


@pytest.mark.parametrize("who", ["one worker", "all workers", "gunicorn", "postmaster", "one session", "archiver"])
def test_a_kill_under_load_loses_no_acknowledged_row_and_heals_by_itself(stack: Stack, who: str) -> None:
    eventually(lambda: stack.healthy() and len(workers(stack)) == WORKERS, 60, "all is well before")
    with scraped(stack) as seen, Load(stack.ports["app"], post("/tools", who), clients=20, pause=0.02) as load:
        eventually(lambda: len(load.acknowledged) > 100, 60, "the load runs")
        killed = victims(stack, who)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: replaced(stack, who, killed), 60, "others have taken their place")
        moment = time.monotonic()
        eventually(lambda: served_since(load, moment) and stack.healthy(), 60, "rows are stored again")
        eventually(lambda: metric(stack, "app_db_pool_size") == WORKERS * POOL_SIZE, 60, "every worker is back")
    assert set(load.statuses) <= {201, 503}
    # Who kills the workers' parent takes the listening socket too; a published port on Docker closes then.
    assert set(load.troubles) <= ({"broken", "refused"} if who == "gunicorn" else {"broken"})
    if who == "one worker":
        # A client has one request at a time: no more than all of them were with that worker.
        assert load.troubles.get("broken", 0) <= 20
        assert 503 not in load.statuses
    assert stored(stack, who) >= set(load.acknowledged)
    assert max(size for size, _ in seen) <= WORKERS * POOL_SIZE, "a dead worker's pool is counted"
    if who != "gunicorn":
        counts = [count for _, count in seen]
        assert counts == sorted(counts), "a dead worker's requests are forgotten"
    eventually(lambda: pool_is_idle(stack), 60, "the pool is idle again")
    stack.is_sound()
    archives_on(stack)


def archives_on(stack: Stack) -> None:
    """What was written last comes to the archive, with all that lies before it."""
    name = stack.sql("SELECT pg_walfile_name(pg_switch_wal())")
    eventually(lambda: stack.sql("SELECT last_archived_wal FROM pg_stat_archiver") >= name, 120, f"{name} is archived")
    done = stack.run("wal", "verify")
    assert done.code == 0, done.said


def served_since(load: Load, moment: float) -> bool:
    return len([each for each in load.outcomes if each.began > moment and each.status == 201]) > 20


def test_the_app_is_not_restarted_to_meet_a_new_database(stack: Stack) -> None:
    before = (gunicorn(stack).pid, workers(stack))
    os.kill(root_process(stack, "postgres"), signal.SIGKILL)
    eventually(lambda: not stack.healthy(), 30, "the app says that it has no database")
    eventually(stack.healthy, 60, "the app is ready again")
    assert (gunicorn(stack).pid, workers(stack)) == before
