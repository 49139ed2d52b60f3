"""The ground that configurations are measured on: rooms of the project's engine, and a pair of servers in them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.bench import contenders
from stackctl.bench.app import Gunicorn
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.pairing import Measured, Pair
from stackctl.bench.plans import compared
from stackctl.bench.slices import Field
from stackctl.bench.trouble import Past, killed, last_words, past
from stackctl.bench.workloads import Workload
from stackctl.engine.base import Note
from stackctl.engine.rooms import Limits, Rooms
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, ImageUnavailable, Problem, StackError
from stackctl.operations.bench_report import Compared
from stackctl.operations.bench_statements import Statements
from stackctl.operations.stack import Prepared
from stackctl.sizing.model import Sizing
from stackctl.units import human

# Of its 100 three are the administrator's, and some are ours, to look at it with.
_STOCK_CONNECTIONS = 90
_ALONE = "--workloads measures the others without it"
# What recovery from a crash may take before other work is tried.
_RECOVERY_SECONDS = 300.0


@contextmanager
def rooms_of(prepared: Prepared, runner: Runner, note: Note, *, pooler: bool) -> Iterator[Rooms]:
    """Rooms, in which a pooler can run too; Docker's libraries are loaded only where it is the engine."""
    postgres = prepared.sizing.profile.postgres
    if prepared.choice.engine != "docker":
        from stackctl.engine.embedded.rooms import embedded_rooms

        with embedded_rooms(runner, postgres) as rooms:
            yield rooms
        return
    from stackctl.engine.docker import images
    from stackctl.engine.docker.rooms import docker_rooms

    known, kind = dict[str, str](), prepared.choice.images
    for service in ("postgres", "pgbouncer") if pooler else ("postgres",):
        supply = images.supply(kind, postgres, (service,))
        try:
            images.ensure(supply, runner, note)
        except ImageUnavailable as error:
            # One workload needs the pooler, and says so in its turn; the others go on.
            if service == "postgres":
                raise
            note(str(error))
            continue
        known |= supply.references()
    name = prepared.opened.project.name
    with docker_rooms(runner, name, known["postgres"], postgres, known.get("pgbouncer", "")) as found:
        yield found


def data_place(prepared: Prepared) -> Path:
    """Where servers in such rooms have their data, on this machine."""
    if prepared.choice.engine == "docker":
        return prepared.engine.data_place()
    from stackctl.engine.embedded.rooms import PLACE

    return PLACE


@dataclass
class Ground:
    """Where pairs are measured, and how; `problems` is what is to be said of it in the end."""

    sizing: Sizing
    rooms: Rooms
    limits: Limits
    scale: int
    seed: int
    workloads: Sequence[Workload]
    statements: Statements | None
    note: Note
    problems: dict[str, Problem] = field(default_factory=dict)
    compared: list[Compared] = field(default_factory=list)

    def pair(self, contender: Contender) -> None:
        """All workloads on a contender and on stock; one that fails is a problem of the others' run.

        What was measured until an end that came early counts. Raises what the first one met where none is measured.
        """
        stock, found, failed = contenders.stock(self.sizing), list[Measured](), dict[str, StackError]()
        with self._running("stock", stock) as theirs, self._running("contender", contender) as ours:
            where = Field(self.rooms, self.scale, self.limits.memory, _app_of(self.sizing))
            pair = Pair(where, ours, theirs, random.Random(self.seed), self.note)  # noqa: S311 - repeatable
            planned = compared(ours, theirs) if self.statements is None else []
            try:
                self._measure(pair, self._workloads(theirs), found, failed)
            finally:
                if found:
                    self.compared.append(Compared(contender, found, planned, frozenset(failed)))

    def _measure(
        self, pair: Pair, workloads: Sequence[Workload], found: list[Measured], failed: dict[str, StackError]
    ) -> None:
        for number, workload in enumerate(workloads, start=1):
            self.note(f"{workload.name}: {number} of {len(workloads)} workloads")
            before = past(pair.ours.room), past(pair.theirs.room)
            try:
                found.append(pair.measure(workload))
            except KeyboardInterrupt:
                self._keep(pair, workload, "it was interrupted", "the seed gives the same order again", found)
                raise
            except StackError as error:
                failed[workload.name] = reason = self._explained(pair, error, before)
                said = str(reason).removeprefix(f"{workload.name}: ")
                if not self._keep(pair, workload, said, reason.hint, found):
                    self.tell(f"{pair.ours.name}: {workload.name} was not measured: {said}", reason.hint)
                if number < len(workloads) and (gone := _gone(pair)):
                    said = f"the server of {gone} did not come back within {_RECOVERY_SECONDS:.0f} s"
                    self.tell(f"{pair.ours.name}: the rest was not measured: {said}", _ALONE)
                    break
        if failed and not found:
            raise next(iter(failed.values()))

    def _keep(self, pair: Pair, workload: Workload, ended: str, hint: str, found: list[Measured]) -> bool:
        """Whether there is something of a workload that was broken off; then it counts, and that is told."""
        some = pair.broken_off(workload, ended)
        if some is None:
            return False
        found.append(some)
        self.tell(f"{pair.ours.name}: {some.cut}", hint, code="cut")
        return True

    def _explained(self, pair: Pair, error: StackError, before: tuple[Past, Past]) -> StackError:
        """The error for what kept a workload from being measured, which for want of memory only the server knows."""
        servers = list(zip((pair.ours, pair.theirs), before, strict=True))
        if dead := [each.name for each, was in servers if killed(each.room, was)]:
            what = f"the kernel killed a process of {' and '.join(dead)}, as it does where memory is short: {error}"
            hint = f"{human(self.limits.memory)} are what a server has here: a larger --ram, or smaller settings"
            return EngineFailed(what, hint=hint)
        # Of a user's rows, those words may have a value.
        for each, was in servers if self.statements is None else ():
            if (words := last_words(each.room, was)) and words not in str(error):
                what = f"{error}; the log of {each.name} has: {words}"
                return EngineFailed(what, hint=error.hint, code=error.problems[0].code, exit_code=error.exit_code)
        return error

    def tell(self, said: str, hint: str, code: str = "not_measured") -> None:
        """A problem of the run, once."""
        self.problems[said] = Problem(code, said, hint)

    def _workloads(self, instance: Instance) -> Sequence[Workload]:
        if self.statements is None:
            return self.workloads
        (workload,) = self.workloads
        asked, problems = self.statements.asked(workload, instance)
        self.problems |= {each.message: each for each in problems}
        return [asked]

    @contextmanager
    def _running(self, name: str, contender: Contender) -> Iterator[Instance]:
        """A server that is filled, in a room that is left at the end."""
        room = self.rooms.room(name, self.limits)
        instance = Instance(room, contender, self.sizing.profile.postgres)
        try:
            instance.make()
            instance.start()
            if self.statements:
                self.note(f"{contender.name}: restoring your rows")
                instance.load(self.statements.dump)
            else:
                self.note(f"{contender.name}: filling tables of scale {self.scale}")
                instance.fill(self.scale)
            yield instance
        finally:
            instance.stop()
            self.rooms.leave(room)


def _gone(pair: Pair) -> str:
    """Whose server takes no connection any more; none is an empty name."""
    return next((each.name for each in (pair.ours, pair.theirs) if not each.answers(_RECOVERY_SECONDS)), "")


def _app_of(sizing: Sizing) -> Gunicorn:
    """The profile's app, with no more connections than stock PostgreSQL has to give."""
    found = sizing.connections
    return Gunicorn(found.workers, max(1, min(found.pool_size, _STOCK_CONNECTIONS // found.workers)))
