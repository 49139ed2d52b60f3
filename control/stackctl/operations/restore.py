"""`stackctl restore`: a data directory out of a backup, proven before it is anywhere near the live data."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stackctl.backup import restore
from stackctl.backup.last_commit import last_commit
from stackctl.backup.model import Backup, spelled
from stackctl.backup.repository import Repository
from stackctl.backup.restore import Replay, Restored
from stackctl.backup.restore_plan import Candidate, choose, ended_early, refuse_later, refuse_several_clusters
from stackctl.backup.retention import restorable
from stackctl.backup.target import Target, target
from stackctl.engine.base import Note, Programs
from stackctl.engine.embedded.generations import postmaster_of
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, RestoreRefused
from stackctl.operations.backup import find, open_backups, working
from stackctl.operations.candidates import candidates, present_candidates
from stackctl.operations.result import Line, Request, Result


@dataclass(frozen=True)
class Wanted:
    """What was asked: where to, from which backup (None: the one that fits), into which folder."""

    to: str
    backup: str | None
    into: Path


def restore_command(request: Request, runner: Runner, note: Note, wanted: Wanted) -> Result:
    """Restore into a folder; the live data is not touched."""
    goal = target(wanted.to)
    into = empty_folder(wanted.into)
    opened = open_backups(request, runner)
    began = time.monotonic()
    with working(opened, "stackctl restore", note, shared=True), opened.engine.programs() as programs:
        repository = Repository(opened.repository.root, programs.group())
        chosen = choose_backup(repository, goal, wanted.backup)
        with restore.working(repository) as folder:
            _refuse_later(repository, programs, chosen, goal, folder)
            data = restore.build(repository, programs, chosen.backup, folder, note)
            goal_or_end = goal if chosen.window is not None else None
            timeline = chosen.window.timeline if chosen.window else None
            restored = restore.recover(repository, programs, chosen.backup, data, goal_or_end, note, Replay(timeline))
            restore.hand_over(data, into)
    data_out = _data(chosen.backup, goal, restored, time.monotonic() - began)
    how = f"start PostgreSQL {chosen.backup.postgres} on it as the owner of the folder"
    text = f"{into} is {chosen.backup.id} recovered to {restored.reached}; {how}"
    warnings = (*opened.recorded.warnings, *_gap_warning(chosen, goal), *early_warning(chosen, goal, restored))
    return Result(data_out, [Line(text, "good")], warnings)


def choose_backup(repository: Repository, goal: Target, identifier: str | None) -> Candidate:
    """The named backup, or the one that leads to `goal`, with its reach.

    Raises RestoreRefused also where none is named and there are usable ones of several clusters; WalGap; Damaged.
    """
    if identifier:
        return choose(candidates(repository, [find(repository, identifier)]), goal, named=True)
    usable = restorable(repository.backups())
    refuse_several_clusters(usable)
    return choose(present_candidates(repository, usable), goal)


def _refuse_later(repository: Repository, programs: Programs, chosen: Candidate, goal: Target, folder: Path) -> None:
    if goal.time is not None and chosen.window is not None:
        archive, tail = repository.archive(chosen.backup.system), repository.tail(chosen.backup.system)
        last = last_commit(archive, tail, chosen.window, chosen.backup.finished_at, programs, folder)
        refuse_later(goal, chosen.window, last)


def _gap_warning(chosen: Candidate, goal: Target) -> list[Problem]:
    if chosen.window is None or chosen.window.gap is None or goal != Target():
        return []
    text = f"the archive lacks {chosen.window.gap.name}: recovery ended at {chosen.window.end}"
    return [Problem("wal_gap", text, "a backup behind the gap reaches further")]


def early_warning(chosen: Candidate, goal: Target, restored: Restored) -> list[Problem]:
    """What is missing of a restore to the end that did not come there."""
    text = ended_early(chosen, goal, restored.reached)
    return [Problem("wal_early", text, "compare the repository's disk; what is restored is sound")] if text else []


def empty_folder(into: Path) -> Path:
    """The folder to restore into, made absolute. Raises RestoreRefused where something is in it."""
    folder = into.absolute()
    if pid := postmaster_of(folder):
        raise RestoreRefused(
            f"a server runs on {folder} (process {pid})",
            hint="name another folder; to replace its data, leave --into out",
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RestoreRefused(f"{folder} is not empty", hint="name a folder that is empty or not there")
    if not folder.parent.is_dir():
        raise RestoreRefused(f"{folder.parent} is not there", hint="make it first")
    return folder


def _data(backup: Backup, goal: Target, restored: Restored, seconds: float) -> dict[str, Any]:
    return {
        "backup": backup.id,
        "target": str(goal),
        "reached_time": _spelled(restored.reached_time),
        "reached_lsn": str(restored.reached),
        "rto_seconds": round(seconds, 1),
        "rpo_seconds": None,
        "steps": ["verified", "copied", "recovered", "checked", "moved"],
    }


def _spelled(moment: datetime | None) -> str | None:
    return spelled(moment) if moment else None
