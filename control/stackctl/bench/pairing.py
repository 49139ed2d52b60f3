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
    """The slices of one workload; those at the same place were taken in one round. `ended` is what broke it off."""

    workload: Workload
    ours: Sequence[Slice]
    theirs: Sequence[Slice]
    ended: str = ""

    @property
    def crossed(self) -> float:
        """Checkpoints that WAL forced on the side that has fewer of them."""
        return min(sum(each.counted.checkpoints_forced for each in side) for side in (self.ours, self.theirs))

    @property
    def cut(self) -> str:
        """What was still to come at the end, and why it did not, in words; empty where nothing was."""
        work, done = self.workload, len(self.ours)
        if self.ended:
            return f"{work.name} ended after {done} of {work.rounds} rounds: {self.ended}"
        if work.checkpoints and self.crossed < work.checkpoints:
            return (
                f"{work.name} ended after {done} rounds, {self.crossed:.0f} of {work.checkpoints} checkpoints crossed"
            )
        if not work.checkpoints and done < work.rounds:
            return f"{work.name} ended after {done} of {work.rounds} rounds, as its {work.most_seconds:.0f} s were over"
        return ""


@dataclass
class Pair:
    """`ours` against `theirs`, both of which stay up. `chance` decides who begins; ours, where `begins` says so.

    `rounds` are those of the workload that is measured, or was last.
    """

    field: Field
    ours: Instance
    theirs: Instance
    chance: random.Random
    note: Note
    begins: bool = False
    turn: int = 0
    rounds: tuple[_Round, ...] = ()

    def measure(self, workload: Workload) -> Measured:
        """All rounds of a workload, after one that warms both up and is forgotten."""
        self.rounds = ()
        self._prepare(workload)
        self._round(workload)
        began = time.monotonic()
        while self._goes_on(workload, time.monotonic() - began):
            self.rounds += (self._round(workload),)
            done, gone = len(self.rounds), time.monotonic() - began
            left = max(0, min(gone / done * (workload.rounds - done), workload.most_seconds - gone))
            self.note(f"{workload.name}: round {done} of {workload.rounds}, about {_minutes(left)} left")
        return self._measured(workload)

    def broken_off(self, workload: Workload, ended: str) -> Measured | None:
        """What there is of a workload whose measuring was broken off; None where not one round was finished."""
        return replace(self._measured(workload), ended=ended) if self.rounds else None

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

    def _goes_on(self, workload: Workload, seconds: float) -> bool:
        done = len(self.rounds)
        if not done:
            return True
        if done >= workload.rounds or seconds > workload.most_seconds:
            return False
        if done < LEAST_ROUNDS:
            return True
        return not workload.checkpoints or self._measured(workload).crossed < workload.checkpoints

    def _measured(self, workload: Workload) -> Measured:
        return Measured(workload, [ours for ours, _ in self.rounds], [theirs for _, theirs in self.rounds])


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
