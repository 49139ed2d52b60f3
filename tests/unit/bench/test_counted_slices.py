"""A slice on a server that does not outlive it is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench_rooms import COUNTED, DIED, PRINTED, Room, Rooms, ended, printed
from stackctl.bench.app import Gunicorn
from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.instance import Instance
from stackctl.bench.slices import Field, Slice
from stackctl.bench.workloads import Workload, own_script
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed
from stackctl.units import Bytes

WORK = replace(own_script("work", "SELECT 1;"), sampling=0)


def take(scratch: Path, done: Completed, work: Workload = WORK, **after: float) -> Slice:
    """A slice of what pgbench told, at the end of which some of the server's counters are others."""

    def bench(room: Room, _script: str) -> Completed:
        room.counted |= after
        return done

    rooms: Any = Rooms(scratch, bench)
    instance = Instance(Room("contender", scratch), Contender("guide", {}, {}), 17)
    return Field(rooms, 1, Bytes(1), Gunicorn(1, 1)).take(instance, work)


def test_a_run_that_lost_a_client_is_not_measured(tmp_path: Path) -> None:
    """A server that dies after a second would get that second's rate: what pgbench prints looks whole."""
    output, errors = PRINTED.format(rate=9000, done=9000, failed=0), f"progress: 1.0 s, 9000.0 tps, 0 failed\n{DIED}"
    with pytest.raises(EngineFailed, match=r"^work: pgbench: error: client 3 aborted in command 5") as refused:
        take(tmp_path, ended(2, output, errors))
    assert refused.value.hint == "it ran on guide"


def test_what_a_server_says_of_a_users_rows_is_not_told(tmp_path: Path) -> None:
    errors = 'pgbench: error: client 3 script 0 aborted in command 1 query 0: ERROR:  invalid input syntax: "secret"\n'
    with pytest.raises(EngineFailed) as refused:
        take(tmp_path, ended(2, PRINTED.format(rate=9000, done=9000, failed=0), errors), replace(WORK, role="client"))
    assert str(refused.value) == "work: pgbench: error: client 3 script 0 aborted in command 1 query 0"


def test_a_server_that_crashed_in_a_slice_is_not_measured(tmp_path: Path) -> None:
    """A storm's clients come again, and its counters would be those of another life."""
    with pytest.raises(EngineFailed, match="the server crashed in a slice"):
        take(tmp_path, printed(), checkpoints_forced=0, updates=10, began=160)


def test_a_slice_in_which_nothing_was_done_is_not_measured(tmp_path: Path) -> None:
    """A ratio to nothing is none. It stalled, after it had done some work while its sessions settled."""
    output = printed(10, 20).stdout
    stalled = ended(0, output, "progress: 1.0 s, 20.0 tps, lat 1 ms\nprogress: 2.0 s, 0.0 tps, lat 0 ms\n")
    for work, done in ((WORK, printed(0, 0)), (replace(WORK, settling=1), stalled)):
        with pytest.raises(EngineFailed, match="was over before the first transaction was"):
            take(tmp_path, done, work)


def test_what_a_slice_took_is_the_difference_of_its_counters(tmp_path: Path) -> None:
    found = take(tmp_path, printed(40.5, 81, 2), wal_bytes=7500, updates=95, hot_updates=41, database_bytes=8000)
    assert found.counted == Counters(wal_bytes=2500, updates=5, hot_updates=1, database_bytes=-1000)
    assert (found.rate, found.transactions, found.failed) == (40.5, 81, 2)


def test_a_table_that_was_dropped_takes_no_counts_from_the_others() -> None:
    """Its counts go with it, and so does its room."""
    before, after = Counters(**COUNTED), Counters(**{**COUNTED, "updates": 50, "database_bytes": 0})
    assert after.since(before) == Counters(database_bytes=-9000)
