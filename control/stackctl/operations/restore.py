"""`stackctl restore`: a data directory out of a backup, proven before it is anywhere near the live data."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackctl.backup.model import spelled
from stackctl.backup.moving import hand_over, landing
from stackctl.backup.named_point import Points, nobody_knows
from stackctl.backup.proof import UNPROVED, Proof, prove
from stackctl.backup.protocol import Stored
from stackctl.backup.repository import COPY
from stackctl.backup.restore import Restored
from stackctl.backup.restore_plan import Candidate, choose, ended_early, refuse_several_clusters
from stackctl.backup.retention import restorable
from stackctl.backup.target import Target, target
from stackctl.engine.base import Note, Throwaway
from stackctl.engine.embedded.generations import postmaster_of
from stackctl.engine.runner import Runner
from stackctl.errors import Damaged, EngineFailed, Problem, RestoreRefused
from stackctl.hardware.detect import on_one_device
from stackctl.operations.backup import Opened, find, open_backups, working
from stackctl.operations.candidates import candidates, leading_to, present_candidates
from stackctl.operations.restoring.look import can_read, unread
from stackctl.operations.restoring.plan import Plan, last_kept, planned, refuse_full
from stackctl.operations.restoring.rooms import rooms
from stackctl.operations.restoring.runs import measured
from stackctl.operations.result import Line, Request, Result
from stackctl.units import counted

_BRINGS = "stackctl up brings them here"


@dataclass(frozen=True)
class Wanted:
    """What was asked: where to, from which backup (None: the one that fits), into which folder."""

    to: str
    backup: str | None
    into: Path


@dataclass
class Look:
    """What was found in the copy. Damage is told and the copy stays: it may be all that there is.

    So it does where something kept us from looking.
    """

    note: Note
    proof: Proof | None = None
    wrong: tuple[Problem, ...] = ()

    def inspect(self, server: Throwaway) -> None:
        """Look into the recovered server."""
        self.note("reading its tables and checking their structure")
        try:
            self.proof = prove(server)
        except Damaged as error:
            self.wrong = (Problem("copy_damaged", str(error), "compare an older backup: --backup ID"),)
        except EngineFailed as error:
            if error.problems[0].code != UNPROVED:
                raise
            self.wrong = error.problems

    def line(self) -> list[Line]:
        """What is sound."""
        if self.proof is None:
            return []
        found = f"{counted(self.proof.rows, 'row')} in {counted(self.proof.tables, 'table')}"
        checked = "every page compared, all read by amcheck" if self.proof.amcheck else "every page compared"
        return [Line(f"{found}, {checked}.")]


def restore_command(request: Request, runner: Runner, note: Note, wanted: Wanted, *, dry_run: bool = False) -> Result:
    """Restore into a folder, or with `dry_run` show what that will do; the live data is not touched."""
    goal = target(wanted.to)
    into = empty_folder(wanted.into, left=True)
    opened = open_backups(request, runner)
    if dry_run:
        return _shown(opened, goal, wanted.backup, into, note)
    began, moment, look = time.monotonic(), datetime.now(UTC), Look(note)
    with working(opened, "stackctl restore", note, shared=True):
        # Without what an interrupted run left in it.
        empty_folder(into)
        plan = _plan(opened, goal, wanted.backup, into, note)
        refuse_full(plan)
        for line in plan.lines():
            note(line)
        with opened.backups.restoring(plan.chosen, goal, into, look.inspect, note) as done:
            restored = done.restored
            put(restored.data, into, look)
    chosen = plan.chosen
    data_out = _data(plan, restored, time.monotonic() - began, moment)
    how = f"start PostgreSQL {chosen.backup.postgres} on it as the owner of the folder"
    text = f"{into} is {chosen.backup.id} recovered to {restored.reached}; {how}"
    early = early_warning(chosen, goal, restored)
    warnings = (*opened.recorded.warnings, *_gap_warning(chosen, goal), *early, *look.wrong)
    return Result(data_out, [Line(text, "good"), *look.line()], warnings)


def put(data: Path, into: Path, look: Look) -> None:
    """Move a finished copy to its place. An error says what was found in it too: somebody may start a server on it."""
    try:
        hand_over(data, into)
    except EngineFailed as error:
        error.problems += look.wrong
        raise


def _shown(opened: Opened, goal: Target, identifier: str | None, into: Path, note: Note) -> Result:
    """The plan alone. What an interrupted run left stays: this changes nothing."""
    ready = can_read(opened.recorded.project, opened.engine, _BRINGS)
    with opened.backups.as_it_is("stackctl restore --dry-run"):
        plan = _plan(opened, goal, identifier, into, note, reading=ready)
    unknown = [] if ready else unread(_BRINGS)
    return Result(_planned_data(plan), plan.shown(), (*opened.recorded.warnings, *unknown))


def _plan(
    opened: Opened, goal: Target, identifier: str | None, into: Path, note: Note, *, reading: bool = True
) -> Plan:
    stored, private = opened.backups.stored(), opened.recorded.project.private
    # Nothing is switched.
    runs = [replace(run, switch_seconds=0.0) for run in measured(private)]
    chosen = choose_backup(stored, goal, identifier, opened.backups.points(stored, note) if reading else nobody_knows)
    last = last_kept(opened.backups if reading else None, stored, chosen, goal, note)
    plan = planned(stored, goal, chosen, last, runs)
    # It is built where the backups are, and moved; pgBackRest fetches to the disk on which it is to be.
    place = landing(into)
    build = place if opened.settings.pgbackrest else opened.backups.workplace()
    return replace(plan, rooms=rooms(build, place, plan.needed, copies=not on_one_device(build, place)))


def choose_backup(stored: Stored, goal: Target, identifier: str | None, points: Points = nobody_knows) -> Candidate:
    """The named backup, or the one that leads to `goal`, with its reach.

    Raises RestoreRefused also where none is named and there are usable ones of several clusters; WalGap; Damaged.
    """
    if identifier:
        return choose(candidates(stored, [find(stored, identifier)]), goal, named=True)
    usable = restorable(list(stored.backups()))
    refuse_several_clusters(usable)
    return leading_to(present_candidates(stored, usable), goal, points)


def _gap_warning(chosen: Candidate, goal: Target) -> list[Problem]:
    if chosen.window is None or chosen.window.gap is None or goal != Target():
        return []
    text = f"the archive lacks {chosen.window.gap.name}: recovery ended at {chosen.window.end}"
    return [Problem("wal_gap", text, "a backup behind the gap reaches further")]


def early_warning(chosen: Candidate, goal: Target, restored: Restored) -> list[Problem]:
    """What is missing of a restore to the end that did not come there."""
    text = ended_early(chosen, goal, restored.reached)
    return [Problem("wal_early", text, "compare the repository's disk; what is restored is sound")] if text else []


def empty_folder(into: Path, *, left: bool = False) -> Path:
    """The folder to restore into, absolute, and no link. With `left`, the copy of an interrupted run may be in it.

    Raises RestoreRefused where something else is in it, or nothing can be put there.
    """
    # A link to a folder cannot be replaced by the copy.
    folder = into.resolve() if into.is_symlink() else into.absolute()
    if pid := postmaster_of(folder):
        raise RestoreRefused(
            f"a server runs on {folder} (process {pid})",
            hint="name another folder; to replace its data, leave --into out",
        )
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    if (folder.exists() and not folder.is_dir()) or not all(left and name.startswith(COPY) for name in found):
        made = found == ["lost+found"]
        hint = (
            f"lost+found alone is there: name {folder / 'data'}" if made else "name a folder that is empty or not there"
        )
        raise RestoreRefused(f"{folder} is not empty", hint=hint)
    if not folder.parent.is_dir():
        raise RestoreRefused(f"{folder.parent} is not there", hint="make it first")
    if not os.access(place := landing(folder), os.W_OK | os.X_OK):
        raise RestoreRefused(f"{place} cannot be written to", hint="name another folder, or see its owner and its disk")
    return folder


def _data(plan: Plan, restored: Restored, seconds: float, moment: datetime) -> dict[str, Any]:
    lost = (moment - (restored.reached_time or plan.chosen.backup.finished_at)).total_seconds()
    return _planned_data(plan) | {
        "reached_time": _spelled(restored.reached_time),
        "reached_lsn": str(restored.reached),
        "rto_seconds": round(seconds, 1),
        "rpo_seconds": round(max(0.0, lost), 1),
        "steps": ["verified", "copied", "recovered", "inspected", "checked", "moved"],
    }


def _planned_data(plan: Plan) -> dict[str, Any]:
    nothing = dict.fromkeys(("reached_time", "reached_lsn", "rto_seconds", "rpo_seconds"))
    named = {"backup": plan.chosen.backup.id, "target": str(plan.goal)}
    return {**named, **nothing, "steps": [], "plan": plan.as_data()}


def _spelled(moment: datetime | None) -> str | None:
    return spelled(moment) if moment else None
