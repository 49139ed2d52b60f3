"""`stackctl restore`: the stack on data of an earlier moment, proven before the running stack is touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stackctl.backup.estimate import Run
from stackctl.backup.model import spelled
from stackctl.backup.protocol import BackupEngine
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, RestoreRefused, StackError, UsageError
from stackctl.operations.backups.engines import backups_of
from stackctl.operations.lock import locked
from stackctl.operations.project import project_folder
from stackctl.operations.repository_keys import keys_at_hand
from stackctl.operations.restore import early_warning
from stackctl.operations.restoring.candidate import Built, build_candidate
from stackctl.operations.restoring.leftovers import finish_interrupted, remove_unfinished, settle
from stackctl.operations.restoring.look import looking, plan_alone
from stackctl.operations.restoring.plan import Asked, Plan, make_plan, refuse_full, refuse_other, refuse_other_engine
from stackctl.operations.restoring.runs import remember
from stackctl.operations.restoring.switch import switch
from stackctl.operations.result import Line, Request, Result
from stackctl.operations.stack import Prepared, make_secrets, prepare
from stackctl.operations.state import make_private, save
from stackctl.units import counted

# Shows the plan to the user, and says whether to go on.
Agreed = Callable[[Sequence[str]], bool]
STEPS = ("verified", "copied", "recovered", "inspected", "checked", "moved", "stopped", "switched", "started")


@dataclass(frozen=True)
class How:
    """What runs commands, what hears of progress, who is asked, and how many seconds a start may take."""

    runner: Runner
    note: Note
    agreed: Agreed
    timeout: float


@contextmanager
def opened(request: Request, how: How) -> Iterator[Prepared]:
    """The project under its lock, without what an interrupted run left."""
    private = project_folder(request) / ".stackctl"
    if not private.is_dir():
        # Nothing is written for a profile that is refused.
        prepare(request, how.runner)
        make_private(private)
    with locked(private, "restore"):
        finish_interrupted(request, how.runner, private, how.note)
        prepared = prepare(request, how.runner)
        refuse_other_engine(prepared)
        make_secrets(prepared, changing=False)
        keys_at_hand(prepared)
        if not prepared.engine.running():
            # They may be gone with the server.
            prepared.engine.prepare(prepared.deployment, how.note)
        yield prepared


def in_place_command(request: Request, how: How, asked: Asked, *, dry_run: bool) -> Result:
    """Plan, build a candidate, prove it, switch."""
    if dry_run:
        with looking(request, how.runner) as prepared:
            _refuse_undecided(prepared)
            return _planned(prepared, *plan_alone(prepared, asked, how.note))
    with opened(request, how) as prepared:
        _refuse_undecided(prepared)
        backups = backups_of(prepared.opened.project, prepared.engine, prepared.choice.images)
        with backups.working("stackctl restore", how.note, shared=True):
            plan = make_plan(prepared, backups, asked, how.note)
        refuse_full(plan)
        if not how.agreed(plan.lines()):
            raise UsageError("nothing was restored", hint="--yes answers the question")
        with backups.working("stackctl restore", how.note):
            # While the question was open, others had the repository.
            again = make_plan(prepared, backups, asked, how.note)
            refuse_other(plan, again)
            refuse_full(again)
            return _restore(request, how, prepared, backups, again)


def _refuse_undecided(prepared: Prepared) -> None:
    if not prepared.state.generations.accepted:
        raise RestoreRefused(
            "the stack runs on a restored copy that was not accepted yet",
            hint="stackctl restore --undo goes back first; stackctl restore --accept keeps the copy",
        )


def _restore(request: Request, how: How, prepared: Prepared, backups: BackupEngine, plan: Plan) -> Result:
    began, private = time.monotonic(), prepared.opened.project.private
    begun = (prepared.opened.state or prepared.state).generations.begun(prepared.engine.places().taken())
    save(private, (prepared.opened.state or prepared.state).on(begun))
    try:
        assert begun.unfinished is not None, "begun"  # noqa: S101
        built = build_candidate(backups, prepared.engine.places(), plan, begun.unfinished, how.note)
        ready, stopped = time.monotonic(), datetime.now(UTC)
        to = begun.restored(before=plan.kept)
        after = switch(request, how.runner, prepared, to, how.timeout, how.note)
    except BaseException:
        with suppress(StackError):
            remove_unfinished(private, prepared.engine, how.note)
        raise
    over = time.monotonic()
    # An undoing that was interrupted may have left its copy.
    left = settle(private, after.engine, how.note)
    remember(private, Run(plan.size, plan.wal_files, built.copy_seconds, built.replay_seconds, over - ready))
    done = _done(after, plan, built, over - began, stopped)
    return replace(done, warnings=(*done.warnings, *left))


def _planned(prepared: Prepared, plan: Plan, unknown: Sequence[Problem]) -> Result:
    data = _data(plan, None, None, None) | {"generation": prepared.state.generations.current}
    return Result(data, plan.shown(), (*prepared.warnings, *unknown))


def _done(after: Prepared, plan: Plan, built: Built, seconds: float, stopped: datetime) -> Result:
    restored, proof, number = built.restored, built.proof, after.state.generations.current
    lost = (stopped - (restored.reached_time or plan.chosen.backup.finished_at)).total_seconds()
    data = _data(plan, built, seconds, lost) | {"generation": number}
    checked = "every page compared, all read by amcheck" if proof.amcheck else "every page compared"
    undo = "stackctl restore --undo goes back to the data before; " if plan.kept else ""
    lines = [
        Line(f"{after.opened.project.name} runs on {plan.chosen.backup.id} recovered to {restored.reached}.", "good"),
        Line(f"{counted(proof.rows, 'row')} in {counted(proof.tables, 'table')}, {checked}; {seconds:.0f} s in all."),
        Line(f"Nothing is archived until you accept it: {undo}stackctl restore --accept keeps it for good.", "bad"),
    ]
    return Result(data, lines, (*after.warnings, *early_warning(plan.chosen, plan.goal, restored)))


def _data(plan: Plan, built: Built | None, seconds: float | None, lost: float | None) -> dict[str, Any]:
    reached = built.restored.reached_time if built else None
    return {
        "backup": plan.chosen.backup.id,
        "target": str(plan.goal),
        "reached_time": spelled(reached) if reached else None,
        "reached_lsn": str(built.restored.reached) if built else None,
        "rto_seconds": None if seconds is None else round(seconds, 1),
        "rpo_seconds": None if lost is None else round(lost, 1),
        "steps": list(STEPS) if built else [],
        "plan": plan.as_data(),
        "accepted": built is None,
    }
