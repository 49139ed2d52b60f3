"""One slice: some work on one server, and what it took."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.bench import pgbench
from stackctl.bench.counters import Counters
from stackctl.bench.instance import Instance
from stackctl.bench.statistics import percentile
from stackctl.bench.workloads import Measure, Workload
from stackctl.engine.rooms import Rooms
from stackctl.errors import EngineFailed

_HOURS = 3600.0


@dataclass(frozen=True)
class Slice:
    """What one slice took: transactions a second, milliseconds, CPU seconds of the server, its counters, its memory.

    Percentiles are 0 where the work was one operation; then `rate` is one over its seconds.
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


@dataclass(frozen=True)
class Field:
    """Where slices are taken: the rooms, how large the tables are."""

    rooms: Rooms
    scale: int

    def take(self, instance: Instance, workload: Workload) -> Slice:
        """One slice. Raises EngineFailed with the words of pgbench."""
        if workload.before:
            self._bench(instance, workload, workload.before, workload.before_seconds, log=None)
        if workload.measure is Measure.CRASH:
            return self._crash(instance)
        counted, used = instance.counters(), instance.room.usage()
        log = self.rooms.scratch / f"log-{secrets.token_hex(4)}"
        told = self._bench(instance, workload, workload.script, workload.seconds, log=log)
        after, took = instance.room.usage(), instance.counters().since(counted)
        times = _latencies(log) if workload.measure is Measure.TIMED else []
        return Slice(
            rate=told.rate,
            transactions=told.transactions,
            failed=told.failed,
            p50=percentile(times, 50),
            p95=percentile(times, 95),
            p99=percentile(times, 99),
            cpu_seconds=after.cpu_seconds - used.cpu_seconds,
            memory=after.memory,
            counted=took,
        )

    def _crash(self, instance: Instance) -> Slice:
        instance.room.kill()
        seconds = instance.start()
        used = instance.room.usage()
        return Slice(1 / seconds, 1, 0, 0, 0, 0, used.cpu_seconds, used.memory, Counters())

    def _bench(
        self, instance: Instance, workload: Workload, script: str, seconds: float, *, log: Path | None
    ) -> pgbench.Told:
        once = workload.measure is Measure.ONCE and script is workload.script
        words = pgbench.words(
            self._file(script),
            scale=self.scale,
            clients=workload.clients,
            seconds=seconds,
            once=once,
            prepared=workload.prepared,
            log=None if once else log,
            sampling=workload.sampling,
        )
        done = self.rooms.client(instance.room, "pgbench", *words, timeout=_HOURS)
        if done.returncode not in (0, 2):
            raise EngineFailed(f"{workload.name}: {_reason(done.stderr)}", hint=f"it ran on {instance.name}")
        return pgbench.told(done.stdout, done.stderr)

    def _file(self, script: str) -> Path:
        """The script where the clients can read it; always the same file for the same script."""
        path = self.rooms.scratch / f"script-{abs(hash(script))}.sql"
        if not path.exists():
            path.write_text(script)
            path.chmod(0o644)
        return path


def _latencies(log: Path) -> Sequence[float]:
    """All that the threads of one run logged; the files go."""
    lines: list[str] = []
    for path in log.parent.glob(f"{log.name}.*"):
        lines += path.read_text().splitlines()
        path.unlink()
    return pgbench.latencies(lines)


def _reason(errors: str) -> str:
    lines = [line for line in errors.splitlines() if "error" in line.lower()] or errors.strip().splitlines()
    return lines[0].strip() if lines else "pgbench gave no word"
