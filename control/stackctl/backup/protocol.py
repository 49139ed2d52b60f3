"""What every backup engine can do: one protocol for PostgreSQL's own programs and for pgBackRest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from stackctl.backup.model import Backup, Kind
from stackctl.backup.named_point import Points
from stackctl.backup.repository import Unreadable
from stackctl.backup.restore import Replay, Restored
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.tail import Tail
from stackctl.backup.target import Target
from stackctl.backup.verify import Finding
from stackctl.backup.wal_name import Segment
from stackctl.backup.windows import Histories
from stackctl.engine.base import Note, Programs, Throwaway
from stackctl.units import Bytes

# The code of an error that says nothing of the backups: their place cannot be read.
AWAY = "repository"


class WalArchive(Protocol):
    """The archived WAL of one cluster."""

    @property
    def place(self) -> str:
        """Where it is: a folder of this machine, or a URL."""

    def segments(self) -> frozenset[Segment]:
        """The segments that are there."""

    def histories(self) -> Histories:
        """Branches by timeline. Raises ValueError where a history file is damaged."""

    def lost(self) -> Sequence[str]:
        """Names of files, as the server knows them, that were archived and are gone, as far as that is noted."""

    def usage(self) -> tuple[int, int]:
        """How many files there are, and the bytes that they take."""


class Stored(Protocol):
    """Backups and WAL that were taken. A repository that cannot be reached raises StackError or OSError."""

    @property
    def where(self) -> str:
        """A folder of this machine, or a URL."""

    @property
    def folder(self) -> Path | None:
        """The folder of this machine, None for an object store."""

    def entries(self) -> Sequence[Backup | Unreadable]:
        """All backups, and what is left of damaged ones, oldest first."""

    def backups(self) -> Sequence[Backup]:
        """All that can be read, oldest first."""

    def entry(self, identifier: str) -> Backup | Unreadable | None:
        """That of `entries` with this id, None where there is none. A dump is found while a store is out of reach."""

    def dumps(self) -> Sequence[Backup | Unreadable]:
        """The dumps of `entries`, which are on this machine, whatever becomes of a store."""

    def place(self, backup: Backup) -> str:
        """Where it is: an absolute folder of this machine, or a URL."""

    def built_bytes(self, chain: Sequence[Backup]) -> int:
        """About what a copy of its last takes at most; the others are what that is built on, oldest first."""

    def wal_bytes(self) -> int:
        """What all WAL of all clusters takes."""

    def wal_size(self, chosen: Candidate, files: int) -> int:
        """What `files` segments from the start of a backup on take on the disk."""

    def unneeded(self, kept: Sequence[Backup], cluster: str | None = None) -> tuple[int, int]:
        """How many files of WAL, and how many bytes, none of the `kept` backups needs; those of `cluster` alone.

        An engine that expires the WAL of all clusters in one go counts those of all.
        """

    def systems(self) -> Sequence[str]:
        """The clusters of which WAL is archived."""

    def archive(self, system: str) -> WalArchive:
        """The archived WAL of one cluster."""

    def tails(self) -> Mapping[str, Tail]:
        """By cluster what was received of its WAL and is not archived yet; empty where nothing is received."""


@dataclass(frozen=True)
class Restoration:
    """A data directory in a working folder: recovered, checked, and ready to be moved away."""

    chosen: Candidate
    restored: Restored


class Workshop(Protocol):
    """A folder to make a copy of a backup in."""

    @property
    def programs(self) -> Programs:
        """What works in it."""

    def build(self, backup: Backup) -> Path:
        """Copy it with all that it is built on, once every byte was compared. Raises Damaged."""

    def replay(self, backup: Backup, data: Path, goal: Target | None, how: Replay) -> Restored:
        """Start the copy, replay the WAL to `goal` (None: to the end of the backup), and stop it."""


class BackupEngine(Protocol):
    """A way to take backups and to bring them back."""

    name: str

    def stored(self) -> Stored:
        """What the repository holds."""

    def working(self, what: str, note: Note, *, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the lock alone, or `shared` beside others that only read; what an interrupted run left is removed.

        Raises Locked at once where another run is in the way.
        """

    def dumping(self, what: str, note: Note, *, shared: bool = False) -> AbstractContextManager[None]:
        """As `working`, to take or read a dump: the folder that those are in may be another one, with its own lock."""

    def as_it_is(self, what: str) -> AbstractContextManager[None]:
        """Hold the lock beside others that only read, and make and remove nothing. Raises Locked."""

    def adopt(self, cluster: str) -> None:
        """Let the repository take the WAL of the running cluster instead of that of `cluster`, as somebody asked.

        Raises UsageError where that is not what it takes, BackupFailed where another server still archives there.
        """

    def take(self, kind: Kind, note: Note, *, gently: bool) -> Backup:
        """Take a backup of the running server and verify it; `gently` only as fast as the app does not notice.

        Raises BackupFailed; earlier ones are as they were.
        """

    def verify(self, chosen: Sequence[Backup], *, everything: bool, note: Note) -> list[Finding]:
        """Read every byte of the chosen backups, or of everything there is, and record what was found of each."""

    def verify_wal(self, note: Note) -> list[Finding]:
        """Read every archived byte."""

    def record(self, backup: Backup) -> None:
        """Keep what is known of it besides its bytes: whether it is kept, whether it is good, its last drill."""

    def expire(self, gone: Sequence[Backup], kept: Sequence[Backup], *, wal: bool, cluster: str | None = None) -> None:
        """Delete backups, the youngest first, and with `wal` the WAL that `unneeded` counts.

        `kept` are all that are left, of whatever cluster.
        """

    def workplace(self) -> Path:
        """A folder on the disk that copies are made on."""

    def workshop(self, memory: Bytes | None, note: Note) -> AbstractContextManager[Workshop]:
        """For a drill, with little of CPU and disk, and `memory` for each container; None is without bounds.

        What is in it is removed at the end.
        """

    def last_commit(self, stored: Stored, chosen: Candidate, goal: Target, note: Note) -> datetime | None:
        """The last commit that is archived of what leads to `goal`, None where nobody knows; `stored` is its own.

        Raises RestoreRefused where the goal is behind it.
        """

    def points(self, stored: Stored, note: Note) -> Points:
        """What finds restore points of a name in the WAL of `stored`, which is its own."""

    def restoring(
        self, chosen: Candidate, goal: Target, into: Path, inspect: Callable[[Throwaway], None], note: Note
    ) -> AbstractContextManager[Restoration]:
        """Restore near `into`, recover to `goal` and check every page; removed at the end where nobody moved it.

        `inspect` looks into the recovered server.

        Raises RestoreRefused, WalGap or Damaged where it cannot be what was meant.
        """
