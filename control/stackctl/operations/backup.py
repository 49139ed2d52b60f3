"""`stackctl backup`: take one now, list them, show one, verify them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from stackctl.backup.model import DRILLED, Backup, Kind, spelled
from stackctl.backup.protocol import BackupEngine, Stored
from stackctl.backup.repository import Unreadable
from stackctl.backup.verify import Unread
from stackctl.engine.base import Engine, Note
from stackctl.engine.runner import Runner
from stackctl.errors import Damaged, EngineFailed, NothingToBuildOn, Problem, StackError, UsageError
from stackctl.operations.archives import found_code, found_data, found_problem, gap_problems, held_archives
from stackctl.operations.backup_section import with_backups
from stackctl.operations.backups.engines import backups_of
from stackctl.operations.backups.tablespaces import refuse_tablespaces
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import Recorded, open_recorded
from stackctl.operations.restored import refuse_undecided
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.settings.backup import FULL, BackupSettings
from stackctl.units import Bytes, human


@dataclass(frozen=True)
class Opened:
    """A project's backups, and the engine that its stack runs on."""

    recorded: Recorded
    engine: Engine
    backups: BackupEngine
    settings: BackupSettings


def open_backups(request: Request, runner: Runner) -> Opened:
    """What takes the backups of a project that was brought up.

    Raises NoEngine where it never was, ProfileError where that cannot run or the section `backup` of the project's file
    has faults; those of the other sections are warnings.
    """
    recorded, settings = with_backups(open_recorded(request))
    engine = recorded_engine(recorded, runner)
    return Opened(recorded, engine, backups_of(recorded.project, engine, _images(recorded)), settings)


def _images(recorded: Recorded) -> str:
    return recorded.state.images if recorded.state else ""


def take_command(
    request: Request,
    runner: Runner,
    note: Note,
    *,
    incremental: bool = False,
    or_full: bool = False,
    adopt: str | None = None,
) -> Result:
    """Take a backup of the running server, all of it or what changed since the last, and verify it.

    With `or_full`, it is all of it where there is nothing to build on. `adopt` is the cluster whose place in the
    repository this one is to take.
    """
    opened = open_backups(request, runner)
    refuse_undecided(opened.recorded.state)
    with working(opened, "stackctl backup", note):
        refuse_tablespaces(opened.engine, takes_dumps=opened.recorded.project.takes_dumps)
        kind = Kind.INCREMENTAL if incremental else Kind.FULL
        gently = opened.settings.pace != FULL
        if adopt is not None:
            opened.backups.adopt(adopt)
        try:
            taken = opened.backups.take(kind, note, gently=gently)
        except NothingToBuildOn as error:
            if not or_full:
                raise
            note(f"{error}: a full backup instead")
            taken = opened.backups.take(Kind.FULL, note, gently=gently)
    stored = opened.backups.stored()
    seconds = (taken.finished_at - taken.started_at).total_seconds()
    text = f"{taken.id}: {human(Bytes(taken.bytes))} in {seconds:.0f} s, verified, in {stored.place(taken)}"
    return Result(backup_data(stored, taken), [Line(text, "good")], opened.recorded.warnings)


def list_command(request: Request, runner: Runner) -> Result:
    """All backups, oldest first, those that cannot be read too; of a store that cannot be, that, and the dumps."""
    opened = open_backups(request, runner)
    stored = opened.backups.stored()
    entries, error = _entries(stored)
    backups = [entry for entry in entries if isinstance(entry, Backup)]
    unreadable = [entry for entry in entries if isinstance(entry, Unreadable)]
    data = {"backups": [backup_data(stored, backup) for backup in backups]}
    columns = ["id", "kind", "finished", "size", "status", "verified", "drilled"]
    rows = [_row(backup) for backup in backups]
    warnings = [Problem("unreadable", f"{entry.id}: {entry.reason}", "stackctl backup verify") for entry in unreadable]
    shown: list[Line | Table] = [Table(columns, rows)] if rows else [Line("no backups yet: stackctl backup")]
    told, code = (error.problems, error.exit_code) if error else ((), 0)
    return Result(data, shown, (*opened.recorded.warnings, *warnings), told, code)


def _entries(stored: Stored) -> tuple[Sequence[Backup | Unreadable], StackError | None]:
    """What is there, and why that is not all. Raises StackError where it is nothing."""
    try:
        return stored.entries(), None
    except StackError as error:
        if dumps := stored.dumps():
            return dumps, error
        raise


def show_command(request: Request, runner: Runner, identifier: str) -> Result:
    """One backup with everything that is known of it."""
    opened = open_backups(request, runner)
    stored = opened.backups.stored()
    data = backup_data(stored, find(stored, identifier))
    rows = [[key, "-" if value in (None, "") else str(value)] for key, value in data.items()]
    return Result(data, [Table(["", identifier], rows)], opened.recorded.warnings)


def verify_command(request: Request, runner: Runner, identifier: str | None, note: Note) -> Result:
    """Read every byte of one backup, or of all there is. Exit code 41 for one that changed, 43 for a gap in the WAL.

    It is 20 where something could not be read, which says nothing of its bytes.
    """
    opened = open_backups(request, runner)
    with working(opened, "stackctl backup verify", note):
        stored = opened.backups.stored()
        chosen = [find(stored, identifier)] if identifier else stored.backups()
        found = opened.backups.verify(chosen, everything=identifier is None, note=note)
    unread = {finding.what for finding in found if isinstance(finding, Unread)}
    # Of an archive that cannot be read, nobody knows what it lacks.
    gaps = [] if identifier or unread else gap_problems(held_archives(opened.backups.stored(), None))
    data = {"verified": [backup.id for backup in chosen if backup.id not in unread], **found_data(found)}
    takes_dumps = opened.recorded.project.takes_dumps
    if not found and not gaps:
        what = "1 backup is as it was" if len(chosen) == 1 else f"{len(chosen)} backups are as they were"
        return Result(data, [Line(f"{what} written.", "good")], opened.recorded.warnings)
    return Result(
        data,
        [Table(["backup", "what is wrong"], [[finding.what, finding.reason] for finding in found])] if found else [],
        opened.recorded.warnings,
        errors=[*(found_problem(finding, takes_dumps=takes_dumps) for finding in found), *gaps],
        exit_code=found_code(found, gaps),
    )


def find(stored: Stored, identifier: str) -> Backup:
    """The backup with this id.

    Raises UsageError where there is none, Damaged where its record is, EngineFailed where that cannot be read now.
    """
    entry = stored.entry(identifier)
    if entry is None:
        raise UsageError(f"there is no backup {identifier!r}", hint="stackctl backup list")
    if isinstance(entry, Unreadable):
        if entry.error is not None:
            raise EngineFailed(f"{entry.id}: {entry.reason}", hint="mend what is named, and try again")
        hint = "take a new backup; this one may still be restored by hand"
        raise Damaged(f"{entry.id}: {entry.reason}", hint=hint)
    return entry


def backup_data(stored: Stored, backup: Backup) -> dict[str, Any]:
    """One backup for `--json`."""
    drilled = {name: getattr(backup, name) for name in DRILLED}
    return {**drilled, **backup.as_data(), "path": stored.place(backup)}


def working(opened: Opened, what: str, note: Note, *, shared: bool = False) -> AbstractContextManager[None]:
    """Hold the lock, `shared` beside others that only read; what an interrupted run left is ended and removed first."""
    return opened.backups.working(what, note, shared=shared)


def _row(backup: Backup) -> list[str]:
    times = [spelled(moment) if moment else "-" for moment in (backup.verified_at, backup.drilled_at)]
    size = human(Bytes(backup.bytes))
    return [backup.id, backup.kind, spelled(backup.finished_at), size, backup.status, *times]
