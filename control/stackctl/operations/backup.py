"""`stackctl backup`: take one now, list them, show one, verify them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from stackctl.backup import native
from stackctl.backup.model import DRILLED, Backup, Status, spelled
from stackctl.backup.pacing import pacing
from stackctl.backup.progress import Progress
from stackctl.backup.repository import Repository, Unreadable
from stackctl.backup.verify import verify_all, verify_backup
from stackctl.engine.base import Engine, Note, Programs
from stackctl.engine.runner import Runner
from stackctl.errors import Damaged, NothingToBuildOn, Problem, UsageError, WalGap
from stackctl.operations.archives import damage_problem, gap_problems, held_archives
from stackctl.operations.backup_section import with_backups
from stackctl.operations.backups.access import make_reachable
from stackctl.operations.copy_room import refuse_without_room
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import Recorded, open_recorded
from stackctl.operations.restored import refuse_undecided
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.settings.backup import FULL, BackupSettings
from stackctl.units import Bytes, human

CLUSTER = """
SELECT system_identifier::text AS system, current_setting('server_version_num')::int / 10000 AS postgres,
       current_setting('summarize_wal', true) AS summarizes, timeline_id AS timeline,
       (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint AS bytes
FROM pg_control_system(), pg_control_checkpoint()
"""


@dataclass(frozen=True)
class Opened:
    """A project's backups, and the engine that its stack runs on."""

    recorded: Recorded
    engine: Engine
    repository: Repository
    settings: BackupSettings


def open_backups(request: Request, runner: Runner) -> Opened:
    """The repository of a project that was brought up.

    Raises NoEngine where it never was, ProfileError where the section `backup` of its file has faults; those of the
    other sections are warnings.
    """
    recorded, settings = with_backups(open_recorded(request))
    engine = recorded_engine(recorded, runner)
    return Opened(recorded, engine, Repository(engine.repository()), settings)


def take_command(
    request: Request, runner: Runner, note: Note, *, incremental: bool = False, or_full: bool = False
) -> Result:
    """Take a backup of the running server, all of it or what changed since the last, and verify it.

    With `or_full`, it is all of it where there is nothing to build on.
    """
    opened = open_backups(request, runner)
    refuse_undecided(opened.recorded.state)
    (row,) = opened.engine.query(CLUSTER)
    with opened.engine.programs() as programs:
        repository = Repository(opened.repository.root, programs.group())
        make_reachable(repository, programs)
        with working(opened, "stackctl backup", note):
            summarizes = row["summarizes"] == "on"
            cluster = native.Cluster(row["system"], row["postgres"], row["timeline"], summarizes, row["bytes"])
            with _paced(opened, programs, cluster.bytes, note) as slowed:
                try:
                    taken = _take(opened, repository, slowed, cluster, note, incremental=incremental)
                except NothingToBuildOn as error:
                    if not or_full:
                        raise
                    note(f"{error}: a full backup instead")
                    taken = _take(opened, repository, slowed, cluster, note, incremental=False)
    seconds = (taken.finished_at - taken.started_at).total_seconds()
    text = f"{taken.id}: {human(Bytes(taken.bytes))} in {seconds:.0f} s, verified, in {repository.path(taken.id)}"
    return Result(backup_data(repository, taken), [Line(text, "good")], opened.recorded.warnings)


def _take(
    opened: Opened,
    repository: Repository,
    programs: Programs,
    cluster: native.Cluster,
    note: Note,
    *,
    incremental: bool,
) -> Backup:
    # How much changed, nobody knows before.
    refuse_without_room(opened.engine, repository.root, 0 if incremental else cluster.bytes)
    take = native.take_incremental if incremental else native.take_full
    return take(repository, programs, cluster, _now, note)


@contextmanager
def _paced(opened: Opened, programs: Programs, size: int, note: Note) -> Iterator[Programs]:
    if opened.settings.pace == FULL:
        yield programs
    else:
        with pacing(opened.engine.query, note, size) as share:
            yield programs.paced(share)


def list_command(request: Request, runner: Runner) -> Result:
    """All backups, oldest first, those that cannot be read too."""
    opened = open_backups(request, runner)
    entries = opened.repository.entries()
    backups = [entry for entry in entries if isinstance(entry, Backup)]
    unreadable = [entry for entry in entries if isinstance(entry, Unreadable)]
    data = {"backups": [backup_data(opened.repository, backup) for backup in backups]}
    columns = ["id", "kind", "finished", "size", "status", "verified", "drilled"]
    rows = [_row(backup) for backup in backups]
    warnings = [Problem("unreadable", f"{entry.id}: {entry.reason}", "stackctl backup verify") for entry in unreadable]
    shown: list[Line | Table] = [Table(columns, rows)] if rows else [Line("no backups yet: stackctl backup")]
    return Result(data, shown, (*opened.recorded.warnings, *warnings))


def show_command(request: Request, runner: Runner, identifier: str) -> Result:
    """One backup with everything that is known of it."""
    opened = open_backups(request, runner)
    data = backup_data(opened.repository, find(opened.repository, identifier))
    rows = [[key, "-" if value in (None, "") else str(value)] for key, value in data.items()]
    return Result(data, [Table(["", identifier], rows)], opened.recorded.warnings)


def verify_command(request: Request, runner: Runner, identifier: str | None, note: Note) -> Result:
    """Read every byte of one backup, or of all there is. Exit code 41 for one that changed, 43 for a gap in the WAL."""
    opened = open_backups(request, runner)
    repository = opened.repository
    with working(opened, "stackctl backup verify", note):
        chosen = [find(repository, identifier)] if identifier else repository.backups()
        told = Progress(note, sum(backup.bytes for backup in chosen)).told
        found = verify_backup(repository, chosen[0], told) if identifier else verify_all(repository, told)
        bad = {finding.what for finding in found}
        for backup in chosen:
            # What only a drill can find is not healed by bytes that are as they were written.
            status = Status.DAMAGED if backup.id in bad or backup.drill_failed else Status.OK
            repository.update(replace(backup, status=status, verified_at=_now()))
    gaps = [] if identifier else gap_problems(held_archives(repository, None))
    data = {"verified": [backup.id for backup in chosen], "findings": [vars(finding) for finding in found]}
    if not found and not gaps:
        what = "1 backup is as it was" if len(chosen) == 1 else f"{len(chosen)} backups are as they were"
        return Result(data, [Line(f"{what} written.", "good")], opened.recorded.warnings)
    return Result(
        data,
        [Table(["backup", "what is wrong"], [[finding.what, finding.reason] for finding in found])] if found else [],
        opened.recorded.warnings,
        errors=[*(damage_problem(finding) for finding in found), *gaps],
        exit_code=Damaged.exit_code if found else WalGap.exit_code,
    )


def find(repository: Repository, identifier: str) -> Backup:
    """The backup with this id. Raises UsageError where there is none, Damaged where it cannot be read."""
    if identifier not in {entry.id for entry in repository.entries()}:
        raise UsageError(f"there is no backup {identifier!r}", hint="stackctl backup list")
    entry = repository.read(identifier)
    if isinstance(entry, Unreadable):
        raise Damaged(f"{entry.id}: {entry.reason}", hint="take a new backup; this one may still be restored by hand")
    return entry


def backup_data(repository: Repository, backup: Backup) -> dict[str, Any]:
    """One backup for `--json`."""
    drilled = {name: getattr(backup, name) for name in DRILLED}
    return {**backup.as_data(), **drilled, "path": str(repository.path(backup.id))}


@contextmanager
def working(opened: Opened, what: str, note: Note, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock, `shared` beside others that only read; what an interrupted run left is ended and removed first."""
    repository = opened.repository
    if not repository.backups_folder.is_dir():
        with opened.engine.programs() as programs:
            make_reachable(Repository(repository.root, programs.group()), programs)
    if shared:
        with repository.shared(what, lambda: _tidy(opened, note)):
            yield
    else:
        with repository.locked(what):
            _tidy(opened, note)
            yield


def _tidy(opened: Opened, note: Note) -> None:
    """End and remove what interrupted runs left; nobody else may be at work."""
    if opened.repository.leftovers():
        with opened.engine.programs() as programs:
            clean(opened.repository, programs, note)


def clean(repository: Repository, programs: Programs, note: Note) -> None:
    """End and remove what interrupted runs left. Only under the lock."""
    if left := repository.leftovers():
        programs.end_strays(left)
    for name in repository.clean():
        note(f"removed what an interrupted run left of {name}")


def _row(backup: Backup) -> list[str]:
    times = [spelled(moment) if moment else "-" for moment in (backup.verified_at, backup.drilled_at)]
    size = human(Bytes(backup.bytes))
    return [backup.id, backup.kind, spelled(backup.finished_at), size, backup.status, *times]


def _now() -> datetime:
    return datetime.now(UTC)
