"""One slice: some work on one server, and what it took."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from stackctl.bench import pgbench
from stackctl.bench.app import TOOLS, Gunicorn, running_app
from stackctl.bench.counters import Counters
from stackctl.bench.crowd import Crowd, crowd
from stackctl.bench.instance import Instance
from stackctl.bench.pgbench import Told
from stackctl.bench.pooler import running_pooler
from stackctl.bench.statistics import percentile
from stackctl.bench.storm import Storm
from stackctl.bench.workloads import Measure, Workload
from stackctl.engine.beside import beside
from stackctl.engine.rooms import Rooms
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed
from stackctl.units import Bytes

_HOURS = 3600.0
_WARM_SECONDS = 2.0


@dataclass(frozen=True)
class Slice:
    """What one slice took: transactions a second, milliseconds, CPU seconds of the server, its counters, its memory.

    Percentiles are 0 where the work was one operation; then `rate` is one over its seconds. `refused` is how often the
    server had no connection for a client, who then tried again.
    """

    rate: float
    transactions: int
    failed: int
    p50: float
    p95: float
    p99: float
    cpu_seconds: float
    memory: int
    counted: Counters
    refused: int = 0


@dataclass(frozen=True)
class Field:
    """Where slices are taken: the rooms, the scale of the tables, each server's memory, the rows of a larger table.

    `gunicorn` is the app that both sides have before them, `written` the scripts that clients can read.
    """

    rooms: Rooms
    scale: int
    memory: Bytes
    gunicorn: Gunicorn
    rows: int = 0
    written: set[str] = field(default_factory=set)

    def take(self, instance: Instance, workload: Workload) -> Slice:
        """One slice. Raises EngineFailed with the words of pgbench."""
        if workload.before:
            self._bench(instance, workload, workload.before, workload.before_seconds, log=None)
        if workload.measure is Measure.CRASH:
            return self._crash(instance)
        with self._around(instance, workload) as crowd:
            counted, used = instance.counters(), instance.room.usage()
            told, times = self._work(instance, workload, crowd)
            after, took = instance.room.usage(), _counted(instance, counted)
        # There may have been some before the sessions had settled.
        if told.rate <= 0:
            said = f"{workload.name}: a slice of {workload.seconds:g} s was over before the first transaction was"
            raise EngineFailed(said, hint=f"it ran on {instance.name}")
        return Slice(
            rate=told.rate,
            transactions=told.transactions,
            failed=told.failed,
            p50=percentile(times, 50),
            p95=percentile(times, 95),
            p99=percentile(times, 99),
            cpu_seconds=after.cpu_seconds_since(used),
            memory=after.memory,
            counted=took,
            refused=told.refused,
        )

    @contextmanager
    def _around(self, instance: Instance, workload: Workload) -> Iterator[Crowd | None]:
        """What goes on beside the work, or what it needs, which the server's counters have no part of: the app."""
        if workload.measure is Measure.API:
            with (
                running_app(self.rooms.runner, instance, self.gunicorn) as door,
                # As in a storm: its wishes are left to chance.
                crowd(door, workload.clients, TOOLS, random.Random()) as found,  # noqa: S311
            ):
                # The first answers take what later ones find done: code that is loaded, statements that are prepared.
                found.ask(_WARM_SECONDS)
                yield found
            return
        with _going_on(instance, workload.beside) if workload.beside else nullcontext():
            yield None

    def _work(self, instance: Instance, workload: Workload, crowd: Crowd | None) -> tuple[Told, Sequence[float]]:
        """What is measured, and the milliseconds of its transactions in order of size."""
        if crowd is not None:
            answered = crowd.ask(workload.seconds)
            done = len(answered.latencies)
            return Told(done / answered.seconds, done, answered.failed, answered.refused), answered.latencies
        if workload.measure is Measure.STORM:
            return self._storm(instance, workload)
        log = self.rooms.scratch / f"log-{secrets.token_hex(4)}"
        told = self._bench(instance, workload, workload.script, workload.settling + workload.seconds, log=log)
        return told, _latencies(log, workload.settling) if workload.measure is Measure.TIMED else []

    def _storm(self, instance: Instance, workload: Workload) -> tuple[Told, Sequence[float]]:
        pool = 0 if workload.own_connections or workload.pooler else instance.contender.pool
        pooled = workload.pooler and instance.contender.pool
        with running_pooler(self.rooms, instance) if pooled else nullcontext(instance.reach) as reach:
            # What its clients read and write is left to chance; that it is alike for both sides, to their number.
            chance = random.Random()  # noqa: S311
            storm = Storm(reach, workload.script, workload.clients, pool, self.scale, chance)
            try:
                found = storm.blow(workload.seconds)
            except psycopg.Error as error:
                raise EngineFailed(f"{workload.name}: {error}", hint=f"it ran on {instance.name}") from error
        done = len(found.latencies)
        return Told(done / found.seconds, done, found.failed, found.refused), found.latencies

    def _crash(self, instance: Instance) -> Slice:
        before = instance.room.usage()
        instance.room.kill()
        seconds = instance.start()
        used = instance.room.usage()
        return Slice(1 / seconds, 1, 0, 0, 0, 0, used.cpu_seconds_since(before), used.memory, Counters())

    def _bench(self, instance: Instance, workload: Workload, script: str, seconds: float, *, log: Path | None) -> Told:
        once = workload.measure is Measure.ONCE and script is workload.script
        settles = workload.settling > 0 and script is workload.script
        words = pgbench.words(
            self._file(script),
            scale=self.scale,
            rows=self.rows,
            role=workload.role,
            clients=workload.clients,
            seconds=seconds,
            once=once,
            prepared=workload.prepared,
            log=None if once else log,
            sampling=workload.sampling,
            progress=settles,
        )
        done = self.rooms.client(instance.room, "pgbench", *words, timeout=_HOURS)
        # It prints a rate with 2 also, of the clients that went on, or of the time until there was none.
        if done.returncode != 0:
            said = pgbench.reason(done.stderr)
            # What the server says of a statement on a user's rows may have a value of theirs.
            said = said.partition("ERROR:")[0].rstrip(" :") if workload.role else said
            raise EngineFailed(f"{workload.name}: {said}", hint=f"it ran on {instance.name}")
        told = pgbench.told(done.stdout, done.stderr)
        return replace(told, rate=pgbench.settled(done.stderr, workload.settling)) if settles else told

    def _file(self, script: str) -> Path:
        """The script where the clients can read it; always the same file for the same script."""
        path = self.rooms.scratch / f"script-{abs(hash(script))}.sql"
        if script not in self.written:
            self.rooms.write(path, script)
            self.written.add(script)
        return path


@contextmanager
def _going_on(instance: Instance, words: Sequence[str]) -> Iterator[None]:
    """Run a program in the server's room again and again; nobody waits for the end of its last time.

    Raises EngineFailed where it cannot do its work.
    """
    failed: list[Completed] = []
    enough = threading.Event()

    def work(over: threading.Event) -> None:
        while not (over.is_set() or enough.is_set() or failed):
            done = instance.room.run(*words, check=False, timeout=_HOURS)
            if done.returncode != 0 and not enough.is_set():
                failed.append(done)

    with beside(work):
        try:
            yield
        finally:
            enough.set()
            instance.end_copies()
    if failed:
        raise EngineFailed(f"{words[0]}: {pgbench.reason(failed[0].stderr)}", hint=f"it ran beside {instance.name}")


def _counted(instance: Instance, before: Counters) -> Counters:
    """What it counted since. Raises EngineFailed where it began anew meanwhile, as it does after a crash."""
    after = instance.counters()
    if after.began != before.began:
        raise EngineFailed("the server crashed in a slice, and came back", hint=f"it was that of {instance.name}")
    return after.since(before)


def _latencies(log: Path, after: float) -> Sequence[float]:
    """What the threads of one run logged from `after` seconds on; the files go."""
    lines: list[str] = []
    for path in log.parent.glob(f"{log.name}.*"):
        lines += path.read_text().splitlines()
        path.unlink()
    return pgbench.latencies(lines, after)
