"""A pair of servers: rounds of slices in random order, workload after workload."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stackctl.bench.instance import Instance
from stackctl.bench.slices import Field, Slice
from stackctl.bench.statistics import LEAST_ROUNDS
from stackctl.bench.workloads import Workload
from stackctl.units import Bytes, human

Note = Callable[[str], None]
_Round = tuple[Slice, Slice]


@dataclass(frozen=True)
class Measured:
    """The slices of one workload; those at the same place were taken in one round."""

    workload: Workload
    ours: Sequence[Slice]
    theirs: Sequence[Slice]

    @property
    def crossed(self) -> float:
        """Checkpoints that WAL forced on the side that has fewer of them."""
        return min(sum(each.counted.checkpoints_forced for each in side) for side in (self.ours, self.theirs))

    @property
    def cut(self) -> str:
        """What was still to come when the time was over, in words; empty where nothing was."""
        work, done = self.workload, len(self.ours)
        if work.checkpoints and self.crossed < work.checkpoints:
            return (
                f"{work.name} ended after {done} rounds, {self.crossed:.0f} of {work.checkpoints} checkpoints crossed"
            )
        if not work.checkpoints and done < work.rounds:
            return f"{work.name} ended after {done} of {work.rounds} rounds, as its {work.most_seconds:.0f} s were over"
        return ""


@dataclass
class Pair:
    """`ours` against `theirs`, both of which stay up. `chance` decides who begins; ours, where `begins` says so."""

    field: Field
    ours: Instance
    theirs: Instance
    chance: random.Random
    note: Note
    begins: bool = False
    turn: int = 0

    def measure(self, workload: Workload) -> Measured:
        """All rounds of a workload, after one that warms both up and is forgotten."""
        self._prepare(workload)
        self._round(workload)
        rounds: list[_Round] = []
        began = time.monotonic()
        while self._goes_on(workload, rounds, time.monotonic() - began):
            rounds.append(self._round(workload))
            gone = time.monotonic() - began
            left = max(0, min(gone / len(rounds) * (workload.rounds - len(rounds)), workload.most_seconds - gone))
            self.note(f"{workload.name}: round {len(rounds)} of {workload.rounds}, about {_minutes(left)} left")
        return _measured(workload, rounds)

    def _prepare(self, workload: Workload) -> None:
        """A table that no memory holds, where the workload wants one."""
        if size := workload.past_memory * self.field.memory:
            self.note(f"{workload.name}: filling two tables of {human(Bytes(int(size)))}")
            (rows,) = {instance.fill_large(size) for instance in (self.ours, self.theirs)}
            self.field = replace(self.field, rows=rows)

    def _round(self, workload: Workload) -> _Round:
        # Of two rounds each side begins one, and chance decides which: what comes second may gain or lose by that.
        self.begins = not self.begins if self.turn % 2 else self.chance.random() < 0.5
        self.turn += 1
        if self.begins:
            ours, theirs = self.field.take(self.ours, workload), self.field.take(self.theirs, workload)
        else:
            theirs, ours = self.field.take(self.theirs, workload), self.field.take(self.ours, workload)
        return ours, theirs

    def _goes_on(self, workload: Workload, rounds: Sequence[_Round], seconds: float) -> bool:
        if not rounds:
            return True
        if len(rounds) >= workload.rounds or seconds > workload.most_seconds:
            return False
        if len(rounds) < LEAST_ROUNDS:
            return True
        return not workload.checkpoints or _measured(workload, rounds).crossed < workload.checkpoints


def _measured(workload: Workload, rounds: Sequence[_Round]) -> Measured:
    return Measured(workload, [ours for ours, _ in rounds], [theirs for _, theirs in rounds])


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
