"""The backup engine of PostgreSQL's own programs, behind the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackctl.backup import catalog, native, restore
from stackctl.backup.archive import Archive
from stackctl.backup.last_commit import last_commit
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.named_point import Points, points_in
from stackctl.backup.pacing import pacing
from stackctl.backup.plain_wal import PlainWal
from stackctl.backup.progress import Progress
from stackctl.backup.protocol import Restoration, Stored, Workshop
from stackctl.backup.repository import Repository
from stackctl.backup.restore import Replay, Restored
from stackctl.backup.restore_plan import Candidate, refuse_later
from stackctl.backup.tail_check import TailCheck
from stackctl.backup.target import Target
from stackctl.backup.verify import Finding, Unread, of_error, verify_all, verify_archive, verify_backup
from stackctl.backup.wal_name import Lsn
from stackctl.backup.windows import Window
from stackctl.engine.base import Engine, Note, Programs, Throwaway
from stackctl.errors import BackupFailed, StackError, Unhealthy, UsageError
from stackctl.hardware.priority import yield_time
from stackctl.operations.backups.access import make_reachable, on_disk
from stackctl.operations.copy_room import refuse_without_room
from stackctl.units import Bytes

CLUSTER = """
SELECT system_identifier::text AS system, current_setting('server_version_num')::int / 10000 AS postgres,
       current_setting('summarize_wal', true) AS summarizes, timeline_id AS timeline,
       (SELECT sum(pg_database_size(oid)) FROM pg_database)::bigint AS bytes
FROM pg_control_system(), pg_control_checkpoint()
"""


def asked(engine: Engine, sql: str) -> Mapping[str, Any]:
    """The one row of an answer that a backup needs. Raises BackupFailed where there is no answer."""
    try:
        (row,) = engine.query(sql)
    except Unhealthy as error:
        raise BackupFailed(f"the server was not asked: {error}", hint="stackctl up; stackctl health") from error
    return row


class NativeEngine:
    """Backups in a folder of this machine."""

    name = "native"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._repository = Repository(engine.repository())

    def stored(self) -> Repository:
        """What the folder holds."""
        return self._repository

    @contextmanager
    def working(self, what: str, note: Note, *, shared: bool = False) -> Iterator[None]:
        """Hold the lock; what an interrupted run left is ended and removed first, while nobody else is at work."""
        with on_disk(self._repository.root), self._held(what, note, shared=shared):
            yield

    def dumping(self, what: str, note: Note, *, shared: bool = False) -> AbstractContextManager[None]:
        """All is in one folder."""
        return self.working(what, note, shared=shared)

    @contextmanager
    def _held(self, what: str, note: Note, *, shared: bool) -> Iterator[None]:
        repository = self._repository
        if not repository.backups_folder.is_dir():
            with self._engine.programs() as programs:
                make_reachable(Repository(repository.root, programs.group()), programs)
        if shared:
            with repository.shared(what, lambda: self._tidy(note)):
                yield
        else:
            with repository.locked(what):
                self._tidy(note)
                yield

    def as_it_is(self, what: str) -> AbstractContextManager[None]:
        """Hold the lock beside others that read, where there is a repository."""
        there = self._repository.backups_folder.is_dir()
        return self._repository.shared(what, lambda: None) if there else nullcontext()

    def _tidy(self, note: Note) -> None:
        if self._repository.leftovers():
            with self._engine.programs() as programs:
                clean(self._repository, programs, note)

    def adopt(self, cluster: str) -> None:
        """Plain files have a folder for each cluster."""
        raise UsageError("plain files take the WAL of every cluster", hint="leave out --adopt")

    def take(self, kind: Kind, note: Note, *, gently: bool) -> Backup:
        """Copy all files of the running server, or what changed since the last backup."""
        row = asked(self._engine, CLUSTER)
        with self._engine.programs() as programs:
            repository = Repository(self._repository.root, programs.group())
            make_reachable(repository, programs)
            summarizes = row["summarizes"] == "on"
            cluster = native.Cluster(row["system"], row["postgres"], row["timeline"], summarizes, row["bytes"])
            take = native.take_incremental if kind is Kind.INCREMENTAL else native.take_full
            # How much changed, nobody knows before.
            refuse_without_room(self._engine, repository.root, 0 if kind is Kind.INCREMENTAL else cluster.bytes)
            with self._paced(programs, cluster.bytes, note) if gently else nullcontext(programs) as slowed:
                return take(repository, slowed, cluster, _now, note)

    @contextmanager
    def _paced(self, programs: Programs, size: int, note: Note) -> Iterator[Programs]:
        # Between two looks at the load, the copy and its reading take what the app leaves.
        yield_time()
        with pacing(self._engine.query, note, size) as share:
            yield programs.paced(share)

    def verify(self, chosen: Sequence[Backup], *, everything: bool, note: Note) -> list[Finding]:
        """Compare every byte with the checksums. What cannot be read of a backup leaves its record as it is."""
        repository = self._repository
        told = Progress(note, sum(backup.bytes for backup in chosen)).told
        found = (
            verify_all(repository, told) + self._damage_received(note)
            if everything
            else [finding for backup in chosen for finding in verify_backup(repository, backup, told)]
        )
        unread = {finding.what for finding in found if isinstance(finding, Unread)}
        bad = {finding.what for finding in found if not isinstance(finding, Unread)}
        # Where it was all but the WAL, or a record, the times would say that everything was verified.
        done = unread <= {backup.id for backup in chosen}
        for backup in chosen:
            if backup.id in unread - bad:
                # Nobody knows; a disk or a mount that comes back may have all of it.
                continue
            # What only a drill can find is not healed by bytes that are as they were written.
            status = Status.DAMAGED if backup.id in bad or backup.drill_failed else Status.OK
            moment = _now() if done or backup.id in bad else backup.verified_at
            found += _unnoted(repository, replace(backup, status=status, verified_at=moment))
        return found

    def verify_wal(self, note: Note) -> list[Finding]:
        """Compare every archived byte with the checksum in its file's name, and read what was received."""
        findings: list[Finding] = []
        told = Progress(note, self._repository.wal_bytes()).told
        for system in self._repository.systems():
            note(f"reading the WAL of {system}")
            findings += verify_archive(self._repository.archive(system), told)
        return findings + self._damage_received(note)

    def _damage_received(self, note: Note) -> list[Finding]:
        if not self._repository.received():
            return []
        note("reading what was received and is not archived")
        found: list[Finding] = []
        # What was found elsewhere is told all the same.
        try:
            with self._engine.programs() as programs:
                repository = Repository(self._repository.root, programs.group())
                with restore.working(repository) as folder:
                    check = TailCheck(programs, folder)
                    for system, tail in repository.tails().items():
                        found += check.damaged(system, tail)
        except StackError as error:
            # An engine that is away, or a reader that was killed, says nothing of the bytes.
            found.append(Unread(str(self._repository.tail_folder), f"was not read: {error}", error.hint))
        except OSError as error:
            found.append(of_error(str(error.filename or self._repository.tail_folder), error))
        return found

    def record(self, backup: Backup) -> None:
        """Write its record again."""
        self._repository.update(backup)

    def expire(self, gone: Sequence[Backup], kept: Sequence[Backup], *, wal: bool, cluster: str | None = None) -> None:
        """Delete backups, and WAL once they are gone."""
        # The youngest first: what is built on another one never outlives it, wherever this ends.
        for backup in reversed(gone):
            self._repository.remove(backup.id)
        files = self._repository.unneeded_files(kept, cluster) if wal else []
        for folder in {file.path.parent for file in files}:
            Archive(folder).remove(file for file in files if file.path.parent == folder)

    def workplace(self) -> Path:
        """Beside the backups."""
        return self._repository.root

    @contextmanager
    def workshop(self, memory: Bytes | None, note: Note) -> Iterator[Workshop]:
        """A folder beside the backups."""
        with self._engine.programs() as programs:
            repository = Repository(self._repository.root, programs.group())
            with restore.working(repository) as folder:
                yield _NativeWorkshop(programs.gentle(memory) if memory else programs, repository, folder, note)

    def last_commit(self, stored: Stored, chosen: Candidate, goal: Target, note: Note) -> datetime | None:
        """As the archived WAL says, and what was received."""
        reach = chosen.window
        if reach is None:
            return None
        with self._looking() as (repository, programs, folder):
            last = _last(repository, programs, chosen.backup, reach, folder)
        refuse_later(goal, reach, last)
        return last

    def points(self, stored: Stored, note: Note) -> Points:
        """As the archived WAL says, and what was received."""

        def found(chosen: Candidate, goal: Target, until: Lsn | None) -> frozenset[Lsn]:
            assert chosen.window is not None, chosen.backup.id  # noqa: S101
            with self._looking() as (repository, programs, folder):
                files = PlainWal(repository, programs, chosen.backup.system, chosen.window.timeline)
                return points_in(files, programs, folder, chosen, goal, until)

        return found

    @contextmanager
    def _looking(self) -> Iterator[tuple[Repository, Programs, Path]]:
        """What reads, and a folder to work in."""
        with self._engine.programs() as programs:
            repository = Repository(self._repository.root, programs.group())
            with restore.working(repository) as folder:
                yield repository, programs, folder

    @contextmanager
    def restoring(
        self, chosen: Candidate, goal: Target, into: Path, inspect: Callable[[Throwaway], None], note: Note
    ) -> Iterator[Restoration]:
        """Restore in the repository, from where the account can reach all that it needs."""
        with self._engine.programs() as programs:
            repository = Repository(self._repository.root, programs.group())
            with restore.working(repository) as folder:
                _refuse_later(repository, programs, chosen, goal, folder)
                backup, window = chosen.backup, chosen.window
                data = restore.build(repository, programs, backup, folder, note)
                goal_or_end, timeline = (goal, window.timeline) if window else (None, None)
                how = Replay(timeline, inspect=inspect)
                restored = restore.recover(repository, programs, backup, data, goal_or_end, note, how)
                yield Restoration(chosen, restored)


@dataclass(frozen=True)
class _NativeWorkshop:
    """A folder beside the backups."""

    programs: Programs
    repository: Repository
    folder: Path
    note: Note

    def build(self, backup: Backup) -> Path:
        """Compare, and copy or combine."""
        return restore.build(self.repository, self.programs, backup, self.folder, self.note)

    def replay(self, backup: Backup, data: Path, goal: Target | None, how: Replay) -> Restored:
        """From the archive beside it."""
        return restore.replay(self.repository, self.programs, backup, data, goal, self.note, how)


def clean(repository: Repository, programs: Programs, note: Note) -> None:
    """End and remove what interrupted runs left. Only under the lock."""
    if left := repository.leftovers():
        programs.end_strays(left)
    for name in repository.clean():
        note(f"removed what an interrupted run left of {name}")


def _refuse_later(repository: Repository, programs: Programs, chosen: Candidate, goal: Target, folder: Path) -> None:
    if goal.time is not None and chosen.window is not None:
        refuse_later(goal, chosen.window, _last(repository, programs, chosen.backup, chosen.window, folder))


def _last(repository: Repository, programs: Programs, backup: Backup, reach: Window, folder: Path) -> datetime | None:
    files = PlainWal(repository, programs, backup.system, reach.timeline)
    return last_commit(files, reach, backup.finished_at, programs, folder)


def _unnoted(repository: Repository, backup: Backup) -> list[Unread]:
    """Write its record again; what keeps that from being done hides nothing of what was found before."""
    try:
        repository.update(backup)
    except OSError as error:
        said = f"{catalog.RECORD}: cannot be written: {error.strerror}"
        return [Unread(backup.id, said, "its record is as it was: free some space, or mend the disk, and verify again")]
    return []


def _now() -> datetime:
    return datetime.now(UTC)
