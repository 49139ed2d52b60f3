"""`stackctl backup --logical`, and restores from such a dump."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup import dump, restore
from stackctl.backup.dump import Part
from stackctl.backup.inspection import check_pages
from stackctl.backup.model import Backup, Kind
from stackctl.backup.moving import hand_over, landing
from stackctl.backup.native import Cluster
from stackctl.backup.repository import DATA, Repository
from stackctl.backup.verify import refuse, verify_backup
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.errors import RestoreRefused, UsageError
from stackctl.hardware.detect import on_one_device
from stackctl.operations.backup import Opened, backup_data, find, open_backups
from stackctl.operations.backups.access import make_reachable
from stackctl.operations.backups.native import CLUSTER, asked
from stackctl.operations.copy_room import refuse_without_room
from stackctl.operations.restore import empty_folder
from stackctl.operations.restoring.plan import refuse_full_rooms
from stackctl.operations.restoring.rooms import rooms
from stackctl.operations.result import Line, Request, Result
from stackctl.units import MIB, Bytes, human

_CONNECTIONS = "SELECT rolconnlimit AS most FROM pg_roles WHERE rolname = 'backup'"
# What initdb makes, with a few segments of WAL.
_EMPTY = 128 * MIB


@dataclass(frozen=True)
class Wanted:
    """Which dump, where to, and which part of it."""

    backup: str
    into: Path
    part: Part


def dump_command(request: Request, runner: Runner, note: Note) -> Result:
    """Dump the app's database, with a connection for each CPU as far as the role has them. Raises BackupFailed."""
    opened = open_backups(request, runner)
    _refuse_in_the_clear(opened)
    row, role = asked(opened.engine, CLUSTER), asked(opened.engine, _CONNECTIONS)
    # One connection leads the others, and one is left for whoever else comes as this role.
    jobs = max(1, min(_cpus(), role["most"] - 2 if role["most"] > 0 else _cpus()))
    with opened.engine.programs() as programs:
        repository = Repository(opened.engine.repository(), programs.group())
        make_reachable(repository, programs)
        with opened.backups.dumping("stackctl backup --logical", note):
            refuse_without_room(opened.engine, repository.root)
            cluster = Cluster(row["system"], row["postgres"], row["timeline"])
            taken = dump.take(repository, programs, cluster, jobs, lambda: datetime.now(UTC), note)
    seconds = (taken.finished_at - taken.started_at).total_seconds()
    text = f"{taken.id}: {human(Bytes(taken.bytes))} in {seconds:.0f} s, read, in {repository.path(taken.id)}"
    alone = f"It is on this machine alone, and not in {opened.backups.stored().where}: keep a copy of it elsewhere."
    shown = [Line(text, "good"), *([Line(alone)] if opened.recorded.project.away else [])]
    return Result(backup_data(repository, taken), shown, opened.recorded.warnings)


def _refuse_in_the_clear(opened: Opened) -> None:
    if not opened.recorded.project.takes_dumps:
        raise UsageError(
            "backup.encryption: a dump is not encrypted, and would lie in the clear beside backups that are",
            hint="pg_dump makes one by hand, for a place that is encrypted by other means",
        )


def restore_dump_command(request: Request, runner: Runner, note: Note, wanted: Wanted) -> Result:
    """Restore a dump, or one table or schema of it, into a data directory of its own."""
    into = empty_folder(wanted.into)
    opened = open_backups(request, runner)
    began = time.monotonic()
    with opened.backups.dumping("stackctl restore", note, shared=True), opened.engine.programs() as programs:
        backup = find(opened.backups.stored(), wanted.backup)
        repository = Repository(opened.engine.repository(), programs.group())
        if backup.kind is not Kind.LOGICAL:
            raise RestoreRefused(f"{backup.id} is no dump", hint="only a dump has parts: stackctl backup --logical")
        _refuse_without_room(repository, backup, wanted.part, into)
        note(f"comparing {backup.id} with its checksums")
        refuse(verify_backup(repository, backup), "restore another backup with --backup")
        with restore.working(repository) as folder:
            # The account builds beside the backups, and reads the dump where it is.
            programs.own(folder)
            data = dump.restore(programs, repository.path(backup.id) / DATA, folder, wanted.part, _cpus(), note)
            check_pages(programs, data)
            hand_over(data, into)
    out = {
        "backup": backup.id,
        "target": "latest",
        "reached_time": None,
        "reached_lsn": None,
        "rto_seconds": round(time.monotonic() - began, 1),
        "rpo_seconds": None,
        "steps": ["verified", "restored", "checked", "moved"],
    }
    text = f"{into} has the database {dump.DATABASE} of {backup.id}; start it with pg_ctl -D {into} start"
    return Result(out, [Line(text, "good")], opened.recorded.warnings)


def _refuse_without_room(repository: Repository, backup: Backup, part: Part, into: Path) -> None:
    """Raise EngineFailed where not even what is sure to come has room: how far rows were compressed, nobody knows."""
    build, place = repository.root, landing(into)
    size = _EMPTY + (0 if part.options() else backup.bytes)
    refuse_full_rooms(rooms(build, place, size, copies=not on_one_device(build, place)), "at least ")


def _cpus() -> int:
    return len(os.sched_getaffinity(0))
