"""The loop of the scheduler: look, decide, run one job, note how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from stackctl.backup.model import spelled
from stackctl.errors import StackError
from stackctl.operations.scheduling.due import HEAL, Failure, Known, Task, ended_well, tasks
from stackctl.operations.scheduling.memory import Memory
from stackctl.settings.schedule import Job

_HEAL_SECONDS = 3600.0


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The moment in the zone of the machine."""

    def seconds(self) -> float:
        """Seconds that only grow, whatever is done to the machine's clock."""


@dataclass
class Loop:
    """One turn after the other. `look` gives what is known, or raises StackError; `run` gives back the exit code."""

    jobs: Sequence[Job]
    look: Callable[[], Known]
    run: Callable[[Task], int]
    clock: Clock
    say: Callable[[str], None]
    memory: Memory
    failures: dict[str, Failure] = field(default_factory=dict)
    _again: dict[str, float] = field(default_factory=dict)
    _told: str = ""

    def turn(self) -> bool:
        """Run the first job that is due and need not wait; False where there is none, or something cannot be read."""
        try:
            return self._turn()
        except OSError as error:
            # A repository that is not mounted now may be later.
            self._tell(f"the scheduler goes on after: {error}")
            return False

    def tries_again(self) -> bool:
        """Whether a job that failed has waited long enough."""
        return any(self._again.get(name, 0.0) <= self.clock.seconds() for name in self.failures)

    def _turn(self) -> bool:
        now = self.clock.now()
        self.memory.note_seen([job.name for job in self.jobs], now)
        try:
            known = self.look()
        except StackError as error:
            self._tell(f"cannot tell what is due: {error}")
            return False
        self._tell(known.holds)
        found = tasks(self.jobs, known, now)
        for gone in self.failures.keys() - {task.name for task in found}:
            del self.failures[gone]
        ready = (task for task in found if self._ready(task, now))
        task = next(ready, None)
        if task is not None:
            self._do(task)
        return task is not None

    def _ready(self, task: Task, now: datetime) -> bool:
        if task.name == HEAL and self.memory.heals.wait(now):
            return False
        return self._again.get(task.name, 0.0) <= self.clock.seconds()

    def _do(self, task: Task) -> None:
        began = self.clock.seconds()
        self._say(f"{task.name} begins, {task.why}: stackctl {' '.join(task.words)}")
        code = self.run(task)
        seconds = self.clock.seconds() - began
        self._say(f"{task.name} ended with {code} after {seconds:.0f} s{self._noted(task, code)}")

    def _noted(self, task: Task, code: int) -> str:
        """Note how a job ended; gives back what there is to say of it."""
        if ended_well(task.name, code):
            self.failures.pop(task.name, None)
            # What is done is no longer due; a record that could not be read must not make it run without end. Before it
            # is noted, as on a full disk nothing can be.
            self._again[task.name] = self.clock.seconds() + 60.0
            if task.name == HEAL:
                self.memory.note_heal(self.clock.now())
            else:
                self.memory.note_done(task.name, self.clock.now())
            return ""
        last = self.failures.get(task.name)
        failure = Failure(last.times + 1 if last else 1, code)
        self.failures[task.name] = failure
        # A full backup of all data, each minute, would be a fault of its own.
        wait = _HEAL_SECONDS if task.name == HEAL and code not in (44, 30) else failure.seconds
        self._again[task.name] = self.clock.seconds() + wait
        return f"; again in {wait / 60:.0f} min"

    def _tell(self, text: str) -> None:
        """Say what holds the work up, once for as long as it does."""
        if text and text != self._told:
            self._say(text)
        self._told = text

    def _say(self, text: str) -> None:
        self.say(f"{spelled(self.clock.now())} {text}")
