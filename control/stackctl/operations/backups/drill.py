"""`stackctl backup drill`: restore a backup for a trial, and prove that it is what it should be."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackctl.backup import drill
from stackctl.backup.drill import Check
from stackctl.backup.inspection import check_pages
from stackctl.backup.limits import at_least, limits
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.protocol import AWAY, Stored, Workshop
from stackctl.backup.restore import UNHINDERED, Replay
from stackctl.backup.restore_plan import Candidate, choose, ended_early, refuse_several_clusters
from stackctl.backup.retention import ancestors, restorable
from stackctl.backup.target import Target
from stackctl.engine.base import Note, Programs
from stackctl.engine.runner import Runner
from stackctl.errors import (
    Damaged,
    DamagedCopy,
    EngineFailed,
    NoEngine,
    Problem,
    RestoreRefused,
    TimedOut,
    Unhealthy,
    UsageError,
)
from stackctl.hardware.detect import available_memory, free_disk
from stackctl.hardware.priority import step_back
from stackctl.operations.backup import Opened, find, open_backups, working
from stackctl.operations.candidates import candidates, present_candidates
from stackctl.operations.restoring.present import present_data
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.units import GIB, MIB, Bytes, human

# What they find is of the backup, and not of the archive or of a query.
_OWN = ("bytes", "checksums", "amcheck", "catalogue", "tables")
# What they find, another look at the bytes does not take back: the copy itself is broken.
_BROKEN = _OWN[1:]
_HOURS = 3600.0


@dataclass
class _Trial:
    """What is known so far. Times are in seconds; `useless` is what a server that did not start says of its files."""

    checks: list[Check] = field(default_factory=list)
    useless: str = ""
    tables: Mapping[str, int] = field(default_factory=dict)
    rto: float | None = None
    rpo: float | None = None

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    @property
    def found(self) -> list[Check]:
        """Those that found something, and were not kept from it."""
        return [check for check in self.failed if not check.hindered]


def drill_command(
    request: Request, runner: Runner, note: Note, identifier: str | None, cluster: str | None = None
) -> Result:
    """Restore the newest good backup, or one, into a throwaway folder and check it.

    Exit code 41 where a check finds something, 20 where it could not be made and says nothing of the backup.
    The newest is that of the stack's own data, or of `cluster`. Raises RestoreRefused where there is none of it.
    """
    opened = open_backups(request, runner)
    memory = Bytes(max(256 * MIB, min(GIB, available_memory() // 2)))
    began, moment = time.monotonic(), datetime.now(UTC)
    with working(opened, "stackctl backup drill", note):
        stored = opened.backups.stored()
        chosen = _named(stored, identifier) if identifier else newest(stored, cluster, _own(opened))
        _refuse_without_room(opened.backups.workplace(), stored, chosen.backup)
        step_back(memory)
        with opened.backups.workshop(memory, note) as workshop:
            trial = _try(workshop, chosen, opened.settings.questions, moment, note)
        done = _judged(chosen.backup, trial, moment)
        opened.backups.record(done)
    return _result(done, trial, time.monotonic() - began, opened)


def _own(opened: Opened) -> str | None:
    """Of which cluster the stack's data is, None where nobody can tell."""
    state = opened.recorded.state
    try:
        return present_data(opened.engine, state.generations.current).system if state else None
    except NoEngine:
        # In the scheduler's container only the server itself can tell, and it does not answer.
        return None


def newest(stored: Stored, cluster: str | None, own: str | None) -> Candidate:
    """The newest good backup of the `cluster` that was named, else of the stack's `own`.

    That another's can be restored says nothing of these. Raises UsageError or RestoreRefused where there is none, or
    neither is known and there are backups of several.
    """
    usable, wanted = restorable(stored.backups()), cluster or own
    if wanted is None:
        refuse_several_clusters(usable, "--cluster SYSTEM says which")
    mine = [backup for backup in usable if wanted in (None, backup.system)]
    if usable and not mine:
        _refuse_other_cluster(usable[-1], wanted, named=cluster is not None)
    return choose(present_candidates(stored, mine), Target())


def _refuse_other_cluster(backup: Backup, wanted: str | None, *, named: bool) -> None:
    if named:
        raise UsageError(f"no good backup is of cluster {wanted}", hint="stackctl backup show ID says of which it is")
    raise RestoreRefused(
        f"there is no good backup of the data of this stack ({wanted}); {backup.id} is of another cluster",
        hint=f"stackctl backup takes one; --cluster {backup.system} drills the other",
    )


def _named(stored: Stored, identifier: str) -> Candidate:
    backup = find(stored, identifier)
    if backup.kind is Kind.LOGICAL:
        raise UsageError(f"{identifier} is a dump", hint="stackctl restore --into DIR proves it; a drill is for files")
    return candidates(stored, [backup])[0]


def _refuse_without_room(folder: Path, stored: Stored, backup: Backup) -> None:
    needed, free = Bytes(stored.built_bytes(_chain(stored, backup)) + GIB // 2), free_disk(folder)
    if free < needed:
        raise EngineFailed(
            f"{folder}: {human(free)} free, and the copy of {backup.id} needs {human(needed)}",
            hint="free some space, or: stackctl backup expire",
        )


def _chain(stored: Stored, backup: Backup) -> list[Backup]:
    return [*reversed(ancestors(backup, {each.id: each for each in stored.backups()})), backup]


def _try(workshop: Workshop, chosen: Candidate, questions: Mapping[str, str], moment: datetime, note: Note) -> _Trial:
    trial, began, backup, data = _Trial(), time.monotonic(), chosen.backup, Path()
    with _noted(trial, "bytes", "as they were written"):
        data = workshop.build(backup)
    if not trial.failed:
        with _noted(trial, "starts", "recovered, started and stopped"):
            goal = Target() if chosen.window is not None else None
            reached = workshop.replay(backup, data, goal, _along(chosen))
            if goal is not None and (early := ended_early(chosen, goal, reached.reached)):
                raise Damaged(early, hint="stackctl wal verify")
            trial.rpo = max(0.0, (moment - (reached.reached_time or backup.finished_at)).total_seconds())
    if not trial.failed:
        note("checking every page")
        with _noted(trial, "checksums", "every page fits its checksum"):
            check_pages(workshop.programs, data)
        trial.rto = time.monotonic() - began
        note("checking tables and indexes")
        with _noted(trial, "answers", "takes connections"):
            _ask(trial, workshop.programs, data, questions)
    return trial


def _along(chosen: Candidate) -> Replay:
    return Replay(chosen.window.timeline if chosen.window else None, settings=drill.LIMITS)


def _ask(trial: _Trial, programs: Programs, data: Path, questions: Mapping[str, str]) -> None:
    settings = at_least({**drill.LIMITS, **UNHINDERED}, limits(programs, data))
    with programs.serve(data, settings, [data.parent], _HOURS) as server:
        # Each row is to be found in its indexes.
        trial.checks.append(drill.structure(server, "--heapallindexed"))
        trial.checks.append(drill.catalogue(server))
        counted, trial.tables = drill.tables(server)
        trial.checks.append(counted)
        trial.checks += [drill.answer(server, name, query) for name, query in questions.items()]


@contextmanager
def _noted(trial: _Trial, name: str, good: str) -> Iterator[None]:
    """Note one check: what it raises says why it failed. A store that cannot be read says nothing of a backup."""
    try:
        yield
    except (Damaged, EngineFailed, TimedOut, Unhealthy) as error:
        if error.problems[0].code == AWAY:
            raise
        if isinstance(error, DamagedCopy):
            trial.useless = f"{name}: {error}"
        trial.checks.append(Check(name, False, str(error), hindered=not isinstance(error, Damaged)))
    else:
        trial.checks.append(Check(name, True, good))


def _judged(backup: Backup, trial: _Trial, moment: datetime) -> Backup:
    named = (f"{check.name}: {check.evidence}" for check in trial.found if check.name in _BROKEN)
    broken = trial.useless or next(named, "")
    tried = replace(backup, drill_tried_at=moment, drill_failing=trial.failed[0].name if trial.failed else "")
    if trial.failed:
        damaged = trial.useless or any(check.name in _OWN for check in trial.found)
        status = Status.DAMAGED if damaged else backup.status
        return replace(tried, status=status, drill_failed=broken or backup.drill_failed)
    rto, rpo = round(trial.rto or 0.0, 1), round(trial.rpo or 0.0, 1)
    return replace(tried, status=Status.OK, drilled_at=moment, drill_failed="", rto_seconds=rto, rpo_seconds=rpo)


def _result(backup: Backup, trial: _Trial, seconds: float, opened: Opened) -> Result:
    data: dict[str, Any] = {
        "backup": backup.id,
        "passed": not trial.failed,
        "checks": [vars(check) for check in trial.checks],
        "tables": dict(trial.tables),
        "rto_seconds": None if trial.rto is None else round(trial.rto, 1),
        "rpo_seconds": None if trial.rpo is None else round(trial.rpo, 1),
        "seconds": round(seconds, 1),
    }
    rows = [[check.name, "ok" if check.ok else "fail", check.evidence] for check in trial.checks]
    passed = f"{backup.id} was restored in {data['rto_seconds']} s and is sound"
    line = Line(f"{backup.id} failed its drill", "bad") if trial.failed else Line(passed, "good")
    errors = [Problem("drill", f"{backup.id}: {check.name}: {check.evidence}", _hint(check)) for check in trial.failed]
    code = Damaged.exit_code if trial.found else EngineFailed.exit_code if trial.failed else 0
    table = Table(["check", "status", "evidence"], rows)
    return Result(data, [table, line], opened.recorded.warnings, errors=errors, exit_code=code)


def _hint(check: Check) -> str:
    if check.hindered:
        return "this says nothing of the backup: mend what it names, and drill again"
    return "do not rely on it; take a new one: stackctl backup"
