"""Who begins a round, and when a workload is over."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from stackctl.bench.counters import Counters
from stackctl.bench.pairing import Pair
from stackctl.bench.slices import Slice
from stackctl.bench.workloads import Workload

WORK = Workload("work", "", "SELECT 1", rounds=40)


class Field:
    """Slices without a server: notes whose they are, and gives each the WAL of a third of a checkpoint."""

    memory = 0

    def __init__(self, forced: float = 0) -> None:
        self.taken: list[str] = []
        self.forced = forced

    def take(self, instance: Any, _workload: Workload) -> Slice:
        self.taken.append(instance.name)
        return Slice(1, 1, 0, 0, 0, 0, 0, 0, Counters(checkpoints_forced=self.forced))


def pair(field: Field, seed: int) -> Pair:
    ours, theirs = SimpleNamespace(name="ours"), SimpleNamespace(name="theirs")
    return Pair(field, ours, theirs, random.Random(seed), lambda _line: None)  # type: ignore[arg-type]


def test_each_side_begins_as_often_and_nobody_knows_when() -> None:
    """A side that always came second would be measured on a disk that the first one left busy."""
    orders = []
    for seed in range(5):
        field = Field()
        pair(field, seed).measure(replace(WORK, rounds=39))
        firsts = field.taken[::2]
        assert firsts.count("ours") == firsts.count("theirs") == 20
        assert sorted(field.taken[:2]) == ["ours", "theirs"]
        orders.append(firsts)
    assert len({tuple(order) for order in orders}) == 5


def test_the_first_round_warms_up_and_is_forgotten() -> None:
    field = Field()
    found = pair(field, 1).measure(replace(WORK, rounds=3))
    assert (len(found.ours), len(found.theirs), len(field.taken)) == (3, 3, 8)


def test_it_ends_when_the_slower_one_has_crossed_its_checkpoints() -> None:
    found = pair(Field(forced=0.5), 1).measure(replace(WORK, checkpoints=3))
    assert len(found.ours) == 6
    assert (found.crossed, found.cut) == (3, "")


def test_checkpoints_that_are_crossed_at_once_leave_rounds_enough_to_tell() -> None:
    """Two rounds cross the three, and nothing can be called faster by fewer than six."""
    assert len(pair(Field(forced=2), 1).measure(replace(WORK, checkpoints=3)).ours) == 6
    assert len(pair(Field(forced=2), 1).measure(replace(WORK, checkpoints=3, rounds=4)).ours) == 4


def test_time_that_is_over_is_told() -> None:
    """Else four rounds look like the forty that were asked for, and a mix without a checkpoint like one over three."""
    late = pair(Field(), 1).measure(replace(WORK, most_seconds=0))
    assert late.cut == "work ended after 1 of 40 rounds, as its 0 s were over"
    uncrossed = pair(Field(forced=0.5), 1).measure(replace(WORK, checkpoints=3, rounds=4))
    assert uncrossed.cut == "work ended after 4 rounds, 2 of 3 checkpoints crossed"
