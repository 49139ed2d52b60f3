"""`stackctl bench`: configurations side by side on throwaway servers, in pairs with stock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stackctl.bench import contenders
from stackctl.bench.contenders import Contender
from stackctl.bench.workloads import Workload, chosen, own_script
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, StackError, UsageError
from stackctl.operations.bench_chart import draw, refuse_unwritable
from stackctl.operations.bench_ground import Ground, rooms_of
from stackctl.operations.bench_notes import notes_of
from stackctl.operations.bench_report import Run, result_of
from stackctl.operations.bench_room import fitting, limits_of, refuse_without_disk
from stackctl.operations.bench_statements import source_of
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import catalog_for, open_recorded
from stackctl.operations.result import INTERRUPTED, Request, Result
from stackctl.operations.stack import Prepared
from stackctl.settings.postgresql_conf import read_conf

QUICK_SCALE, FULL_SCALE = 20, 100


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
    prepared, smaller = fitting(request, runner, workloads)
    named = _contenders(prepared, asked)
    source = source_of(recorded_engine(open_recorded(request), runner)) if asked.from_statements else None
    limits, scale = limits_of(prepared), _scale(asked)
    refuse_without_disk(prepared, scale, workloads, source)
    began, moment = time.monotonic(), datetime.now(UTC)
    with rooms_of(prepared, runner, note, pooler=any(each.pooler for each in workloads)) as rooms:
        statements = source.copied(rooms.scratch, note) if source else None
        ground = Ground(prepared.sizing, rooms, limits, scale, asked.seed, workloads, statements, note)
        finished = _measure(ground, named)
    seconds = time.monotonic() - began
    run = Run(limits, rooms.limited, scale, asked.seed, moment, seconds, ground.compared)
    undrawn = draw(asked.chart, run) if asked.chart is not None else []
    problems = [*prepared.warnings, *smaller, *ground.problems.values(), *undrawn]
    result = result_of(run, prepared.sizing.profile, prepared.choice.engine, notes_of(run, problems))
    return result if finished else interrupted(result)


def interrupted(result: Result) -> Result:
    """A result of which a part is missing."""
    said = "interrupted: this is what was measured until then"
    error = Problem("interrupted", said, "the same --seed gives the same order again")
    return replace(result, exit_code=INTERRUPTED, errors=[error])


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
                some = any(found.contender is each for found in ground.compared)
                ground.tell(f"{each.name}{': the rest' if some else ''} was not measured: {error}", error.hint)
    except KeyboardInterrupt:
        if not ground.compared:
            raise
        return False
    if first and not ground.compared:
        raise first
    return True


def _scale(asked: Asked) -> int:
    """0 where the tables are the user's."""
    if asked.from_statements:
        return 0
    return asked.scale or (QUICK_SCALE if asked.quick else FULL_SCALE)


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
        _refuse_taken(asked.conf)
        found.append(contenders.from_file(asked.conf.name, read_conf(asked.conf), sizing, catalog, build))
    return found


def _refuse_taken(conf: Path) -> None:
    """Raise UsageError where a file has the name of a configuration that is known: results go by it."""
    if conf.name in (contenders.STOCK, contenders.AGAIN, *contenders.NAMES):
        said = (
            f"--conf {conf}: {conf.name} is a configuration that bench knows by itself, and its results have that name"
        )
        raise UsageError(said, hint=f"copy it, and name the copy: --conf {conf}.conf")
