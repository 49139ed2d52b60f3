"""The folder that holds the backups: one folder for each, and one for the WAL of each cluster."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup import catalog, checksums, lock
from stackctl.backup.archive import Archive, Archived
from stackctl.backup.catalog import DamagedRecord
from stackctl.backup.model import Backup, Kind
from stackctl.backup.plain_file import content, is_verdict
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.tail import Tail
from stackctl.backup.wal_name import parse_segment, segment_of
from stackctl.backup.wal_retention import unneeded

DATA = "data"
_NEW = ".new-"
# A record has some thirty short values.
_MOST_RECORDED = 2**20
_GONE = ".gone-"
COPY = ".restore-"
# A finished copy that could not be put into its place.
KEPT = "restored-"
LOCK = "lock"
# A project that asked for pgBackRest before, or will, has its repository beside this one.
_OURS = ("backups", "wal", "tail", "pgbackrest", LOCK)
_ID = re.compile(r"(\d{6,})-\d{8}T\d{6}Z-(full|incremental|logical)")


def is_dump(identifier: str) -> bool:
    """Whether this is the id of a dump."""
    return identifier.endswith(f"-{Kind.LOGICAL}")


@dataclass(frozen=True)
class Unreadable:
    """A folder in the place of backups that none can be read from, and why."""

    id: str
    reason: str
    error: OSError | None = None
    """What kept it from being read, where that says nothing of its bytes."""


class Repository:
    """Backups below `root`. A backup is there with all its files, or not at all."""

    def __init__(self, root: Path, group: int = -1) -> None:
        """`group` may pass through the folders, to what lies below and is its own; -1 is the operator's."""
        self.root = root
        self._group = group
        self.backups_folder = root / "backups"
        self.wal_folder = root / "wal"
        self.tail_folder = root / "tail"

    def create(self) -> None:
        """Make the folders, open to nobody else. Raises OSError."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.backups_folder, self.wal_folder):
            if not folder.is_dir():
                self._make(folder)

    def open_to_group(self, folder: Path) -> None:
        """Let the group pass through a folder of ours."""
        folder.chmod(0o750)
        os.chown(folder, -1, self._group)

    def _make(self, folder: Path) -> None:
        folder.mkdir(mode=0o750)
        self.open_to_group(folder)

    def archive(self, system: str) -> Archive:
        """The archived WAL of one cluster."""
        return Archive(self.wal_folder / system)

    def received(self) -> list[str]:
        """The clusters of which WAL was received."""
        return _clusters(self.tail_folder)

    def wal_folders(self) -> list[Path]:
        """Where WAL is; the second one only where it was ever received."""
        return [folder for folder in (self.wal_folder, self.tail_folder) if folder.is_dir()]

    def tail(self, system: str) -> Tail:
        """What was received of one cluster's WAL and is not archived yet."""
        return Tail(self.tail_folder / system)

    def tails(self) -> Mapping[str, Tail]:
        """That of each cluster of which WAL was received."""
        return {system: self.tail(system) for system in self.received()}

    def systems(self) -> list[str]:
        """The clusters of which WAL is archived."""
        return _clusters(self.wal_folder)

    def strangers(self) -> list[str]:
        """Paths in the repository that nothing of it explains; the lock says nothing that anybody relies on."""
        found = [path for path in self._listed(self.root) if path.name not in _OURS]
        found += [path for path in self._listed(self.backups_folder) if not _ID.fullmatch(path.name)]
        for folder in (self.wal_folder, self.tail_folder):
            found += [path for path in self._listed(folder) if path.name not in _clusters(folder)]
        found += [Path(path) for system in _clusters(self.tail_folder) for path in self.tail(system).strangers()]
        return sorted(str(path.relative_to(self.root)) for path in found)

    def _listed(self, folder: Path) -> list[Path]:
        """What is in a folder, but for the work of a run that is not over or was killed, and copies that were kept."""
        there = folder.iterdir() if folder.is_dir() else ()
        return [path for path in there if not (path.is_dir() and path.name.startswith((_NEW, _GONE, COPY, KEPT)))]

    def path(self, identifier: str) -> Path:
        """The folder of one backup."""
        return self.backups_folder / identifier

    def place(self, backup: Backup) -> str:
        """The folder of one backup, as it is told to people."""
        return str(self.path(backup.id))

    @property
    def where(self) -> str:
        """Its folder."""
        return str(self.root)

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.root

    def built_bytes(self, chain: Sequence[Backup]) -> int:
        """Never more than all of them together."""
        return sum(backup.bytes for backup in chain)

    def wal_bytes(self) -> int:
        """What all WAL of all clusters takes."""
        return checksums.size_below(self.wal_folder) if self.wal_folder.is_dir() else 0

    def wal_size(self, chosen: Candidate, files: int) -> int:
        """What `files` segments from the start of a backup on take on the disk."""
        backup, reach = chosen.backup, chosen.window
        if backup.wal_start is None or reach is None:
            return 0
        first, taken = segment_of(0, backup.wal_start).number, 0
        for file in self.archive(backup.system).files():
            segment = parse_segment(file.name)
            if segment and first <= segment.number < first + files and segment.timeline <= reach.timeline:
                taken += file.path.stat().st_blocks * 512
        return taken

    def unneeded(self, kept: Sequence[Backup], cluster: str | None = None) -> tuple[int, int]:
        """How many files of WAL, and how many bytes, none of the `kept` backups needs."""
        files = self.unneeded_files(kept, cluster)
        return len(files), sum(file.size for file in files)

    def unneeded_files(self, kept: Sequence[Backup], cluster: str | None = None) -> list[Archived]:
        """The files of WAL, of one `cluster` or of all, that none of the `kept` backups needs."""
        folders = sorted(self.wal_folder.iterdir()) if self.wal_folder.is_dir() else []
        archives = [Archive(folder) for folder in folders if folder.is_dir() and cluster in (None, folder.name)]
        return [file for each in archives for file in unneeded(each.files(), kept, each.folder.name)]

    def backups(self) -> list[Backup]:
        """All that can be read, oldest first."""
        return [found for found in self.entries() if isinstance(found, Backup)]

    def entries(self) -> list[Backup | Unreadable]:
        """All backups, and what is left of damaged ones, oldest first."""
        return [self.read(name) for name in self._names()]

    def entry(self, identifier: str) -> Backup | Unreadable | None:
        """The one with this id, None where there is none."""
        return self.read(identifier) if identifier in self._names() else None

    def dumps(self) -> list[Backup | Unreadable]:
        """The dumps of `entries`."""
        return [self.read(name) for name in self._names() if is_dump(name)]

    def has_dumps(self) -> bool:
        """Whether there is a dump, or what an interrupted run left of one."""
        folder = self.backups_folder
        return folder.is_dir() and any(is_dump(path.name) for path in folder.iterdir())

    def read(self, identifier: str) -> Backup | Unreadable:
        """One backup, or why its record cannot be read."""
        try:
            backup = catalog.decode(content(self.path(identifier) / catalog.RECORD, _MOST_RECORDED))
        except DamagedRecord as error:
            return Unreadable(identifier, f"{catalog.RECORD}: {error}")
        except OSError as error:
            return Unreadable(identifier, f"{catalog.RECORD}: {error}", None if is_verdict(error) else error)
        if backup.id != identifier:
            return Unreadable(identifier, f"{catalog.RECORD}: it is of {backup.id}")
        return backup

    def begin(self, kind: Kind, started: datetime) -> tuple[str, Path]:
        """A name that sorts behind all others, whatever the clock says, and an empty folder to work in."""
        there = (path.name.removeprefix(_NEW).removeprefix(_GONE) for path in self.backups_folder.iterdir())
        highest = max((int(match[1]) for name in there if (match := _ID.fullmatch(name))), default=0)
        identifier = f"{highest + 1:06d}-{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{kind}"
        folder = self.backups_folder / f"{_NEW}{identifier}"
        self._make(folder)
        return identifier, folder

    @contextmanager
    def working(self, kind: Kind, started: datetime) -> Iterator[tuple[str, Path]]:
        """As `begin`; the folder is removed where the work in it fails."""
        identifier, folder = self.begin(kind, started)
        try:
            yield identifier, folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def finish(self, folder: Path, backup: Backup, known: Mapping[str, str] | None = None) -> Backup:
        """List what is in `folder` and its checksums, write the record, and give the backup its name.

        `known` are checksums, by path, of files that need no other reading.
        """
        folders = "".join(f"{path}\n" for path in checksums.folders_below(folder))
        catalog.write_whole(folder / checksums.FOLDERS, os.fsencode(folders))
        known = dict(known or {})
        listed = known | checksums.digests(folder, frozenset([checksums.LIST, catalog.RECORD, *known]))
        content = checksums.written(listed)
        done = replace(backup, checksums=checksums.digest_of(content), bytes=checksums.size_below(folder))
        catalog.write_whole(folder / checksums.LIST, content)
        catalog.write_whole(folder / catalog.RECORD, catalog.encode(done))
        folder.rename(self.path(backup.id))
        catalog.sync_folder(self.backups_folder)
        return done

    def update(self, backup: Backup) -> None:
        """Write a backup's record again."""
        catalog.write_whole(self.path(backup.id) / catalog.RECORD, catalog.encode(backup))

    def remove(self, identifier: str) -> None:
        """Remove a backup: it is there whole, or no backup any more. Only under the lock. Raises OSError."""
        gone = self.backups_folder / f"{_GONE}{identifier}"
        self.path(identifier).rename(gone)
        catalog.sync_folder(self.backups_folder)
        shutil.rmtree(gone)

    def leftovers(self) -> list[Path]:
        """What interrupted runs left: half a backup, half a removal, half a restored copy."""
        left = [*self.backups_folder.glob(f"{_NEW}*"), *self.backups_folder.glob(f"{_GONE}*")]
        return sorted([*left, *self.root.glob(f"{COPY}*")])

    def clean(self) -> list[str]:
        """Remove the leftovers; gives back their names. Only under the lock."""
        left = self.leftovers()
        for folder in left:
            shutil.rmtree(folder)
        return [path.name.removeprefix(_NEW).removeprefix(_GONE) for path in left]

    def locked(self, what: str) -> AbstractContextManager[None]:
        """Hold the repository's lock alone. Raises Locked where another run has it."""
        return lock.exclusive(self.root / LOCK, what)

    def shared(self, what: str, tidy: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold the lock beside others that only read; whoever is the first of them calls `tidy`. Raises Locked."""
        return lock.shared(self.root / LOCK, what, tidy)

    def _names(self) -> list[str]:
        if not self.backups_folder.is_dir():
            return []
        return sorted((path.name for path in self.backups_folder.iterdir() if _ID.fullmatch(path.name)), key=_order)


def _clusters(folder: Path) -> list[str]:
    """Folders that have a cluster's identifier for their name."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def _order(identifier: str) -> tuple[int, str]:
    return int(identifier.split("-", 1)[0]), identifier
