"""A slice on a server that does not outlive it is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackctl.bench.app import Gunicorn
from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.instance import Instance
from stackctl.bench.slices import Field
from stackctl.bench.workloads import Workload, own_script
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed
from stackctl.hardware.usage import Usage
from stackctl.units import Bytes

ROW = {"wal_bytes": 5000.0, "temp_bytes": 800.0, "checkpoints_timed": 1.0, "checkpoints_forced": 2.0, "updates": 90.0}
COUNTED = {**ROW, "hot_updates": 40.0, "vacuums": 3.0, "database_bytes": 9000.0, "began": 100.0}
PRINTED = """number of transactions actually processed: 41873
number of failed transactions: 2 (0.005%)
tps = 13968.551932 (without initial connection time)
"""
# As a client says it, and pgbench in the end.
DIED = """pgbench: error: client 3 aborted in command 5 (SQL) of script 0; perhaps the backend died while processing
pgbench: error: Run was aborted; the above results are incomplete.
"""
WORK: Workload = replace(own_script("work", "SELECT 1;"), sampling=0)


class Engine:
    """Rooms and a room of them: pgbench ends as it is told to, the server's counters are told one after the other."""

    data = socket = Path("/nowhere")
    name = "contender"

    def __init__(self, scratch: Path, ended: Completed, *counted: Mapping[str, float]) -> None:
        self.scratch, self.ended, self.counted = scratch, ended, list(counted)

    def run(self, *_words: str, **_how: Any) -> Completed:
        return Completed((), 0, json.dumps([self.counted.pop(0)]), "")

    def client(self, *_words: Any, **_how: Any) -> Completed:
        return self.ended

    def usage(self) -> Usage:
        return Usage(1, Bytes(1))

    def log(self) -> str:
        return ""


def take(engine: Any, workload: Workload = WORK) -> Any:
    instance = Instance(engine, Contender("guide", {}, {}), 17)
    return Field(engine, 1, Bytes(1), Gunicorn(1, 1)).take(instance, workload)


def printed(returncode: int = 0, output: str = PRINTED, errors: str = "") -> Completed:
    return Completed((), returncode, output, errors)


def test_a_run_that_lost_a_client_is_not_measured(tmp_path: Path) -> None:
    """A server that dies after a second would get that second's rate: what pgbench prints looks whole."""
    engine = Engine(tmp_path, printed(2, errors=f"progress: 1.0 s, 9000.0 tps, 0 failed\n{DIED}"), COUNTED, COUNTED)
    with pytest.raises(EngineFailed, match=r"^work: pgbench: error: client 3 aborted in command 5") as refused:
        take(engine)
    assert refused.value.hint == "it ran on guide"


def test_a_server_that_crashed_in_a_slice_is_not_measured(tmp_path: Path) -> None:
    """A storm's clients come again, and its counters would be those of another life."""
    anew = {**COUNTED, "checkpoints_forced": 0.0, "updates": 10.0, "began": 160.0}
    with pytest.raises(EngineFailed, match="the server crashed in a slice"):
        take(Engine(tmp_path, printed(), COUNTED, anew))


def test_what_a_slice_took_is_the_difference_of_its_counters(tmp_path: Path) -> None:
    later = {**COUNTED, "wal_bytes": 7500.0, "updates": 95.0, "hot_updates": 41.0, "database_bytes": 8000.0}
    found = take(Engine(tmp_path, printed(), COUNTED, later))
    assert found.counted == Counters(wal_bytes=2500, updates=5, hot_updates=1, database_bytes=-1000)
    assert (found.rate, found.transactions, found.failed) == (13968.551932, 41873, 2)


def test_a_table_that_was_dropped_takes_no_counts_from_the_others() -> None:
    """Its counts go with it, and so does its room."""
    before, after = Counters(updates=90, vacuums=3, database_bytes=9000), Counters(updates=50, vacuums=3)
    assert after.since(before) == Counters(database_bytes=-9000)
