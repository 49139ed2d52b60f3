"""`stackctl bench`: configurations side by side on throwaway servers, in pairs with stock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stackctl.bench import contenders
from stackctl.bench.app import WORKER_MEMORY
from stackctl.bench.contenders import Contender
from stackctl.bench.workloads import Measure, Workload, chosen, own_script
from stackctl.engine.base import Note
from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError, StackError, UsageError
from stackctl.hardware.detect import available_memory, free_disk
from stackctl.operations.bench_chart import picture, refuse_unwritable
from stackctl.operations.bench_ground import Ground, rooms_of
from stackctl.operations.bench_report import Run, result_of
from stackctl.operations.bench_statements import source_of
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import catalog_for, open_recorded
from stackctl.operations.result import INTERRUPTED, Request, Result
from stackctl.operations.stack import Prepared, prepare
from stackctl.settings.postgresql_conf import read_conf
from stackctl.units import GIB, MIB, Bytes, human

# About 15 MB for each step; with indexes, a copy of the rows for bulk loads and what writes leave behind.
_STEP_BYTES = 30 * MIB
QUICK_SCALE, FULL_SCALE = 20, 100
# Clients, the page cache they share, and everything else on this machine.
_BESIDE = GIB


@dataclass(frozen=True)
class Asked:
    """What the command line said. `scale` and `rounds` 0 leave it to us."""

    peers: Sequence[str] = ()
    workloads: Sequence[str] = ()
    conf: Path | None = None
    script: Path | None = None
    quick: bool = False
    scale: int = 0
    rounds: int = 0
    seed: int = 0
    chart: Path | None = None
    from_statements: bool = False


def bench_command(request: Request, runner: Runner, note: Note, asked: Asked) -> Result:
    """Measure ours, and the peers that were asked for, each in a pair with stock. Nothing of it stays.

    Raises UsageError, ProfileError, and what a stack that does not run is, before anything is started.
    """
    workloads = _workloads(asked)
    if asked.chart is not None:
        refuse_unwritable(asked.chart)
    prepared = prepare(request, runner)
    named = _contenders(prepared, asked)
    source = source_of(recorded_engine(open_recorded(request), runner)) if asked.from_statements else None
    limits, scale = _limits(prepared), asked.scale or (QUICK_SCALE if asked.quick else FULL_SCALE)
    _refuse_without_room(limits, scale, workloads, prepared.sizing.connections.workers)
    began, moment = time.monotonic(), datetime.now(UTC)
    with rooms_of(prepared, runner, note, pooler=any(each.pooler for each in workloads)) as rooms:
        statements = source.copied(rooms.scratch, note) if source else None
        ground = Ground(prepared.sizing, rooms, limits, scale, asked.seed, workloads, statements, note)
        finished = _measure(ground, named)
    seconds = time.monotonic() - began
    run = Run(limits, rooms.limited, scale, asked.seed, moment, seconds, ground.compared)
    if asked.chart is not None:
        asked.chart.write_text(picture(run), encoding="utf-8")
    problems = [*prepared.warnings, *ground.problems.values()]
    result = result_of(run, prepared.sizing.profile, prepared.choice.engine, problems)
    return result if finished else replace(result, exit_code=INTERRUPTED)


def _measure(ground: Ground, named: Sequence[Contender]) -> bool:
    """One after the other; whether it came to its end.

    Raises the first error, or KeyboardInterrupt, where nothing was measured.
    """
    first: StackError | None = None
    try:
        for each in named:
            ground.note(f"{each.name} against {contenders.STOCK}")
            try:
                ground.pair(each)
            except StackError as error:
                first = first or error
                ground.tell(f"{each.name} was not measured: {error}", error.hint)
    except KeyboardInterrupt:
        if not ground.compared:
            raise
        ground.tell("interrupted: this is what was measured until then", "the seed gives the same order again")
        return False
    if first and not ground.compared:
        raise first
    return True


def _workloads(asked: Asked) -> list[Workload]:
    found = chosen(asked.workloads, quick=asked.quick)
    if asked.script is not None:
        try:
            found = [own_script(asked.script.stem, asked.script.read_text(encoding="utf-8"))]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--script {asked.script}: {error}", hint="give a script for pgbench") from error
    if asked.from_statements:
        # What it asks is known when there is a server to take values from.
        found = [own_script("statements", "")]
    if not asked.rounds:
        return found
    return [replace(each, rounds=asked.rounds) for each in found]


def _contenders(prepared: Prepared, asked: Asked) -> list[Contender]:
    sizing, build = prepared.sizing, prepared.deployment.build
    catalog = catalog_for(sizing.profile.postgres)
    names = dict.fromkeys(asked.peers or (contenders.OURS,))
    for name in names:
        if name not in contenders.NAMES:
            known = ", ".join(contenders.NAMES)
            raise UsageError(f"--peers {name!r} is not one of {known}", hint="stock is in every pair anyway")
    found = [contenders.contender(name, sizing, catalog, build) for name in names]
    if asked.conf is not None:
        found.append(contenders.from_file(asked.conf.name, read_conf(asked.conf), sizing, catalog, build))
    return found


def _limits(prepared: Prepared) -> Limits:
    share = prepared.sizing.share("postgres")
    assert share is not None, "every stack has a database"  # noqa: S101
    return Limits(
        share.memory,
        prepared.sizing.shm_size,
        min(share.cpus, prepared.opened.host.cpus),
        prepared.sizing.profile.disk_limit,
    )


def _refuse_without_room(limits: Limits, scale: int, workloads: Sequence[Workload], workers: int) -> None:
    app = workers * WORKER_MEMORY if any(each.measure is Measure.API for each in workloads) else 0
    needed, there = Bytes(2 * limits.memory + app + _BESIDE), available_memory()
    if needed > there:
        raise ProfileError(
            f"two servers with {human(limits.memory)} each do not fit into the {human(there)} that are free",
            hint="a smaller profile tells as much: stackctl bench --ram 8G",
            code="larger_than_host",
        )
    large = max(each.past_memory for each in workloads) * limits.memory
    # Beside the tables WAL, and as much again of what updates leave of the large one.
    disk = Bytes(int(2 * (scale * _STEP_BYTES + 8 * GIB + 1.5 * large)))
    free = free_disk(Path("/var/tmp"))  # noqa: S108 - looked at only
    if disk > free:
        raise ProfileError(
            f"two servers with tables of scale {scale} may need {human(disk)}, and {human(free)} are free",
            hint="--scale with a smaller number",
        )
