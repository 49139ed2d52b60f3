"""Make a data directory out of a backup and the archived WAL, and prove that it is sound."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackctl import assets
from stackctl.backup.inspection import check_files, check_pages
from stackctl.backup.limits import at_least, highest, limits, too_small
from stackctl.backup.model import Backup
from stackctl.backup.moving import copy_tree
from stackctl.backup.progress import Progress, growing
from stackctl.backup.repository import COPY, DATA, Repository, Unreadable
from stackctl.backup.retention import ancestors
from stackctl.backup.target import Target
from stackctl.backup.verify import refuse, verify_backup
from stackctl.backup.wal_name import Lsn, lsn
from stackctl.engine.base import Note, Programs, Throwaway
from stackctl.errors import Damaged, EngineFailed, RestoreRefused, StackError

_NO_END = re.compile(r"recovery ended before configured recovery target was reached")
_TOO_EARLY = re.compile(r"recovery stop point is before consistent recovery point")
_BROKEN = re.compile(r'could not restore file "([0-9A-F.a-z]+)" from archive')
# What restore-wal exits with where the copy's disk is at fault, and not the archive.
_NO_ROOM = re.compile(_BROKEN.pattern + r".*\b200\b")
_REACHED = """
SELECT pg_last_wal_replay_lsn()::text AS lsn, pg_current_wal_lsn()::text AS now,
       extract(epoch FROM pg_last_xact_replay_timestamp()) AS time
"""
_HOURS = 3600.0
# Triggers on commands, which may refuse what is needed to inspect a copy, do not fire for a replica.
UNHINDERED = {"session_replication_role": "replica"}
# What the new timeline begins with is not archived from the copy, and must not be forgotten either.
_LIVE = {"archive_mode": "on", "archive_command": "", "archive_library": ""}
_OTHER = "restore another backup with --backup; stackctl backup verify"


@dataclass(frozen=True)
class Restored:
    """A data directory that was started, recovered and checked: how far it came."""

    data: Path
    reached: Lsn
    reached_time: datetime | None


@contextmanager
def working(repository: Repository) -> Iterator[Path]:
    """A folder beside the backups to build in; removed at the end, with what was not taken out of it."""
    folder = Path(tempfile.mkdtemp(prefix=COPY, dir=repository.root))
    try:
        repository.open_to_group(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def build(repository: Repository, programs: Programs, backup: Backup, folder: Path, note: Note) -> Path:
    """Copy `backup` into `folder`, or combine it there with all that it is built on, once every byte was compared.

    Raises Damaged where one of them is not as it was, EngineFailed where one cannot be read or the copy not be made.
    """
    chain = [*reversed(ancestors(backup, {each.id: each for each in repository.backups()})), backup]
    if chain[0].parent is not None:
        raise _baseless(repository, chain[0], chain[0].parent)
    for member in chain:
        note(f"comparing {member.id} with its checksums")
        refuse(verify_backup(repository, member, Progress(note, member.bytes).told), _OTHER)
    if len(chain) > 1:
        return _combine(repository, programs, chain, folder, note)
    note("copying")
    data = folder / DATA
    with growing(data, note, backup.bytes):
        copy_tree(repository.path(backup.id) / DATA, data)
    programs.own(data)
    return data


def _baseless(repository: Repository, backup: Backup, parent: str) -> Damaged | EngineFailed:
    """The error for a backup of which the one that it is built on cannot be had: for good, or just now."""
    found = repository.read(parent)
    if isinstance(found, Unreadable) and found.error is not None:
        return EngineFailed(f"{parent}: {found.reason}", hint="mend what is named, and try again")
    return Damaged(f"{backup.id} is built on {parent}, which is not there", hint=_OTHER)


def _combine(repository: Repository, programs: Programs, chain: Sequence[Backup], folder: Path, note: Note) -> Path:
    """PostgreSQL's own program combines; it does not see damage, so its members and its result are checked."""
    note(f"combining {len(chain)} backups")
    data, members = folder / DATA, [repository.path(member.id) / DATA for member in chain]
    programs.claim(data)
    everything = [data, *members]
    words = (*map(str, members), "--output", str(data))
    # The result is about as large as the full one.
    with growing(data, note, chain[0].bytes):
        programs.run("pg_combinebackup", *words, folders=everything, timeout=24 * _HOURS)
    check_files(programs, data)
    return data


def nothing(_server: Throwaway) -> None:
    """Nothing is looked into."""


@dataclass(frozen=True)
class Replay:
    """How to replay: `timeline` is the history to follow, None for the newest.

    A copy that goes `live` keeps what it has to archive. `settings` win over the copy's own; `inspect` looks into the
    server while it runs.
    """

    timeline: int | None = None
    live: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    inspect: Callable[[Throwaway], None] = nothing


_PLAIN = Replay()


def recover(
    repository: Repository,
    programs: Programs,
    backup: Backup,
    data: Path,
    target: Target | None,
    note: Note,
    how: Replay = _PLAIN,
) -> Restored:
    """Replay the WAL as `replay` does, and check every page. Raises Damaged too."""
    restored = replay(repository, programs, backup, data, target, note, how)
    note("checking every page")
    check_pages(programs, data)
    return restored


def replay(
    repository: Repository,
    programs: Programs,
    backup: Backup,
    data: Path,
    target: Target | None,
    note: Note,
    how: Replay = _PLAIN,
) -> Restored:
    """Start the copy, replay the WAL to `target` (None: only to the end of the backup), and stop it.

    Raises RestoreRefused where the WAL ends before the target, EngineFailed where the copy does not start,
    Damaged where that is for what it is made of.
    """
    settings: Mapping[str, str] = {}
    if target is not None:
        ask_for_recovery(data)
        programs.own(data / "recovery.signal")
        archive, tail = repository.archive(backup.system).folder, repository.tail(backup.system).folder
        settings = _recovery(data.parent, archive, tail, target, how.timeline)
    return run_to(programs, data, settings, [data.parent, *repository.wal_folders()], target, note, how)


def run_to(
    programs: Programs,
    data: Path,
    settings: Mapping[str, str],
    folders: Sequence[Path],
    target: Target | None,
    note: Note,
    how: Replay = _PLAIN,
) -> Restored:
    """Start a server on `data` with `settings` that lead it to `target`, and stop it there; errors are `replay`'s.

    They say which timeline is followed; of `how`, all else holds.
    """
    settings = {**UNHINDERED, **(_LIVE if how.live else {}), **how.settings, **settings}
    note("starting the copy" + (f", recovering to {target}" if target else ""))
    least = limits(programs, data)
    while True:
        try:
            return _run(programs, data, at_least(settings, least), folders, how)
        except EngineFailed as error:
            # WAL of a server that was given more on its way says so, and the control file has it then.
            more = highest(least, limits(programs, data)) if too_small(str(error)) else least
            if more == least:
                raise explained(error, target) from error
            least = more


def _run(programs: Programs, data: Path, settings: Mapping[str, str], folders: Sequence[Path], how: Replay) -> Restored:
    with programs.serve(data, settings, folders, 24 * _HOURS) as server:
        reached = _reached(server)
        how.inspect(server)
    return Restored(data, lsn(reached["lsn"] or reached["now"]), _moment(reached["time"]))


def ask_for_recovery(data: Path) -> None:
    """Make recovery.signal; never what a link of that name leads to, as the folder is the account's already."""
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(FileNotFoundError):
            os.unlink("recovery.signal", dir_fd=folder)
        os.close(os.open("recovery.signal", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder))
    finally:
        os.close(folder)


def explained(error: EngineFailed, target: Target | None) -> StackError:
    """The server's words in ours, where they are about the target or the WAL."""
    if _NO_END.search(str(error)):
        return RestoreRefused(
            f"the archived WAL ends before {target}: it was replayed to its end, and the target is not in it",
            hint="--to latest takes all there is; stackctl wal status"
            if target is None or target.name is None
            else "where it is before this backup, --backup names an older one; stackctl backup list",
        )
    if _TOO_EARLY.search(str(error)):
        return RestoreRefused(
            f"{target} is before the end of the backup, from where on it is consistent",
            hint="name an older one with --backup",
        )
    if found := _NO_ROOM.search(str(error)):
        return EngineFailed(
            f"{found[1]} could not be written into the copy: is its disk full?",
            hint="free some space and run it again; the archive is sound there",
        )
    if found := _BROKEN.search(str(error)):
        return Damaged(
            f"{found[1]} in the archive is damaged, and recovery to {target} needs it",
            hint="stackctl wal verify; restore to a moment before it, or from a backup behind it",
        )
    return error


def _recovery(folder: Path, wal: Path, tail: Path, target: Target, timeline: int | None) -> Mapping[str, str]:
    script = folder / "restore-wal"
    script.write_bytes((assets.root() / "config" / "postgres" / "restore-wal").read_bytes())
    script.chmod(0o755)
    command, archive, rest = (shlex.quote(str(path)).replace("%", "%%") for path in (script, wal, tail))
    return {
        "restore_command": f"sh {command} {archive} %f %p {rest}",
        "recovery_target_action": "promote",
        "recovery_target_timeline": str(timeline or "latest"),
        **target.settings(),
    }


def _reached(server: Throwaway) -> Mapping[str, Any]:
    return server.query(_REACHED)[0]


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
