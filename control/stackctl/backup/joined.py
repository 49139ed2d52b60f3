"""Dumps beside what an engine keeps that takes none: both in one list, in the order of their time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from stackctl.backup.model import Backup
from stackctl.backup.protocol import Stored, WalArchive
from stackctl.backup.repository import Repository, Unreadable, is_dump
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.tail import Tail

_Entry = TypeVar("_Entry", bound=Backup | Unreadable)
# Of the folder of dumps, where nobody can say which are in it.
_DUMPS = "dumps"
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def in_order(*sorts: Iterable[_Entry]) -> list[_Entry]:
    """All of them by the time at which they were finished; whatever a clock said, each sort keeps its own order."""
    return list(heapq.merge(*sorts, key=_moment))


def _moment(entry: Backup | Unreadable) -> datetime:
    # What cannot be read says no time: it comes right behind the one before it.
    return _BEGINNING if isinstance(entry, Unreadable) else entry.finished_at


def is_of_dumps(entry: Unreadable) -> bool:
    """Whether it is a dump, or the folder of them: nothing is built on one, and it needs no WAL."""
    return entry.id == _DUMPS or is_dump(entry.id)


class Joined:
    """What `main` keeps, and the dumps in a folder of this machine; of whatever else is in that, nothing."""

    def __init__(self, main: Stored, plain: Repository) -> None:
        self._main = main
        self._plain = plain

    @property
    def where(self) -> str:
        """Where all but the dumps are."""
        return self._main.where

    @property
    def folder(self) -> Path | None:
        """The folder of this machine, None for an object store."""
        return self._main.folder

    def entries(self) -> Sequence[Backup | Unreadable]:
        """All backups, and what is left of damaged ones, oldest first."""
        return in_order(self._main.entries(), self.dumps())

    def backups(self) -> Sequence[Backup]:
        """All that can be read, oldest first."""
        return [entry for entry in self.entries() if isinstance(entry, Backup)]

    def entry(self, identifier: str) -> Backup | Unreadable | None:
        """The one with this id, looked for only where it can be."""
        if not is_dump(identifier):
            return self._main.entry(identifier)
        try:
            return self._plain.entry(identifier)
        except OSError as error:
            return self._unread(identifier, error)

    def dumps(self) -> Sequence[Backup | Unreadable]:
        """The dumps, oldest first; where their folder is out of reach, that, as it says nothing of the others."""
        try:
            return self._plain.dumps()
        except OSError as error:
            return [self._unread(_DUMPS, error)]

    def _unread(self, what: str, error: OSError) -> Unreadable:
        return Unreadable(what, f"{self._plain.backups_folder}: {error.strerror or error}", error)

    def place(self, backup: Backup) -> str:
        """Where it is: an absolute folder of this machine, or a URL."""
        return (self._plain if is_dump(backup.id) else self._main).place(backup)

    def built_bytes(self, chain: Sequence[Backup]) -> int:
        """Of no dump."""
        return self._main.built_bytes(chain)

    def wal_bytes(self) -> int:
        """What all WAL of all clusters takes."""
        return self._main.wal_bytes()

    def wal_size(self, chosen: Candidate, files: int) -> int:
        """What `files` segments from the start of a backup on take on the disk."""
        return self._main.wal_size(chosen, files)

    def unneeded(self, kept: Sequence[Backup], cluster: str | None = None) -> tuple[int, int]:
        """WAL that none of the kept backups needs; a dump needs none."""
        return self._main.unneeded(kept, cluster)

    def systems(self) -> Sequence[str]:
        """The clusters of which WAL is archived."""
        return self._main.systems()

    def archive(self, system: str) -> WalArchive:
        """The archived WAL of one cluster."""
        return self._main.archive(system)

    def tails(self) -> Mapping[str, Tail]:
        """What was received and is not archived yet."""
        return self._main.tails()
