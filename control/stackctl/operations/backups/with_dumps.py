"""pgBackRest, which takes no dumps, and the native engine for those: together they are one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from stackctl.backup.joined import Joined
from stackctl.backup.model import Backup, Kind
from stackctl.backup.named_point import Points
from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.protocol import Restoration, Stored, Workshop
from stackctl.backup.repository import is_dump
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.target import Target
from stackctl.backup.verify import Finding, verify_records
from stackctl.engine.base import Note, Throwaway
from stackctl.operations.backups.native import NativeEngine
from stackctl.units import Bytes


class WithDumps:
    """Backups and WAL by pgBackRest, dumps in the native engine's folder of this machine, wherever the others are.

    Other projects may have that folder too, so that work on dumps holds its lock besides.
    """

    name = PgBackRestEngine.name

    def __init__(self, main: PgBackRestEngine, native: NativeEngine) -> None:
        self._main = main
        self._native = native

    def stored(self) -> Joined:
        """What both hold."""
        return Joined(self._main.stored(), self._native.stored())

    def working(self, what: str, note: Note, *, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the lock of the other backups; the folder of dumps is locked by what comes to have to do with one."""
        return self._main.working(what, note, shared=shared)

    @contextmanager
    def dumping(self, what: str, note: Note, *, shared: bool = False) -> Iterator[None]:
        """Hold both locks. What only reads makes no folder."""
        beside = not shared or self._has_dumps()
        own = self._native.working(what, note, shared=shared) if beside else nullcontext()
        with self._main.working(what, note, shared=shared), own:
            yield

    def _has_dumps(self) -> bool:
        try:
            return self._native.stored().has_dumps()
        except OSError:
            # Out of reach, they keep nobody from the others; what is to be done with one says why it cannot be.
            return False

    def as_it_is(self, what: str) -> AbstractContextManager[None]:
        """For what is no work on dumps."""
        return self._main.as_it_is(what)

    def adopt(self, cluster: str) -> None:
        """Dumps have no place that could be taken."""
        self._main.adopt(cluster)

    def take(self, kind: Kind, note: Note, *, gently: bool) -> Backup:
        """Take one of all files."""
        return self._main.take(kind, note, gently=gently)

    def verify(self, chosen: Sequence[Backup], *, everything: bool, note: Note) -> list[Finding]:
        """Each reads its own; what is wrong in the folder of dumps with none of them belongs to everything."""
        dumps, others = _divided(chosen)
        # First, as it may be locked: nobody is to read for hours in vain.
        found = self._verified(dumps, note) if dumps or (everything and self._has_dumps()) else []
        if others or everything:
            found = self._main.verify(others, everything=everything, note=note) + found
        return found + (verify_records(self._native.stored()) if everything else [])

    def _verified(self, dumps: Sequence[Backup], note: Note) -> list[Finding]:
        with self._native.working("stackctl backup verify", note):
            return self._native.verify(dumps, everything=False, note=note)

    def verify_wal(self, note: Note) -> list[Finding]:
        """Read every archived byte."""
        return self._main.verify_wal(note)

    def record(self, backup: Backup) -> None:
        """Where it is."""
        if not is_dump(backup.id):
            self._main.record(backup)
            return
        with self._native.working("stackctl backup keep", _untold):
            self._native.record(backup)

    def expire(self, gone: Sequence[Backup], kept: Sequence[Backup], *, wal: bool, cluster: str | None = None) -> None:
        """Delete dumps, and let `main` delete the others and WAL."""
        dumps, others = _divided(gone)
        if dumps:
            with self._native.working("stackctl backup expire", _untold):
                # Another project that has the folder, too, may have let it go by now.
                there = {entry.id for entry in self._native.stored().dumps()}
                self._native.expire([dump for dump in dumps if dump.id in there], (), wal=False)
        self._main.expire(others, _divided(kept)[1], wal=wal, cluster=cluster)

    def workplace(self) -> Path:
        """A folder on the disk that copies of other backups are made on."""
        return self._main.workplace()

    def workshop(self, memory: Bytes | None, note: Note) -> AbstractContextManager[Workshop]:
        """For a drill, which no dump has."""
        return self._main.workshop(memory, note)

    def last_commit(self, stored: Stored, chosen: Candidate, goal: Target, note: Note) -> datetime | None:
        """The last commit that is archived of what leads to `goal`."""
        return self._main.last_commit(stored, chosen, goal, note)

    def points(self, stored: Stored, note: Note) -> Points:
        """What finds restore points of a name in archived WAL."""
        return self._main.points(stored, note)

    def restoring(
        self, chosen: Candidate, goal: Target, into: Path, inspect: Callable[[Throwaway], None], note: Note
    ) -> AbstractContextManager[Restoration]:
        """Restore one of all files near `into`."""
        return self._main.restoring(chosen, goal, into, inspect, note)


def _untold(_said: str) -> None:
    """What an interrupted run left is removed all the same."""


def _divided(backups: Sequence[Backup]) -> tuple[list[Backup], list[Backup]]:
    """Dumps, and the others."""
    return [each for each in backups if is_dump(each.id)], [each for each in backups if not is_dump(each.id)]
