"""What a repository of pgBackRest holds, asked for once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stackctl.backup.model import Backup
from stackctl.backup.pgbackrest.catalogue import Files, opens
from stackctl.backup.pgbackrest.faults import explained
from stackctl.backup.pgbackrest.info import Info, Listed, read_info, read_listing
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.tail import Tail
from stackctl.backup.wal_name import SEGMENT_SIZE, Segment, history_of, parse_history, segment_of
from stackctl.backup.windows import Histories
from stackctl.errors import Damaged, StackError


@dataclass(frozen=True)
class RemoteArchive:
    """The WAL of one cluster; `read` gives the text of a file below the archives of the stanza."""

    place: str
    listed: Sequence[Listed]
    read: Callable[[str], str]

    def segments(self) -> frozenset[Segment]:
        """The segments that are there."""
        return frozenset(segment for each in self.listed for segment in each.segments)

    def histories(self) -> Histories:
        """Branches by timeline."""
        paths = {timeline: path for each in self.listed for timeline, path in each.histories.items()}
        return {timeline: parse_history(self.read(path)) for timeline, path in paths.items()}

    def latest(self) -> int | None:
        """When the newest file was written, in seconds of Unix; None without any."""
        return max((each.latest for each in self.listed), default=None)

    def sizes(self) -> Mapping[Segment, int]:
        """The bytes of each segment, as they are compressed."""
        return {segment: size for each in self.listed for segment, size in each.segments.items()}

    def paths(self) -> Mapping[Segment, str]:
        """Where each segment is, below the archives of the stanza."""
        return {segment: path for each in self.listed for segment, path in each.paths.items()}

    def sums(self) -> Sequence[tuple[str, str]]:
        """The names of segments, each with the SHA-1 of what was archived."""
        return [pair for each in self.listed for pair in each.sums]

    def lost(self) -> Sequence[str]:
        """Nothing: pgBackRest keeps no list of what it archived."""
        return ()

    def usage(self) -> tuple[int, int]:
        """How many files there are, and their bytes, as they are compressed."""
        return sum(each.files for each in self.listed), sum(each.size for each in self.listed)


class StanzaStored:
    """Backups and WAL of one stanza."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._texts: dict[str, str] = {}
        self._listings: dict[str, str] = {}

    @property
    def where(self) -> str:
        """A folder of this machine, or a URL."""
        return self._tool.where

    @property
    def folder(self) -> Path | None:
        """The folder of this machine, None for an object store."""
        return self._tool.folder

    def built_bytes(self, chain: Sequence[Backup]) -> int:
        """What the files of the database took when the last was taken."""
        return self._info.sizes[chain[-1].id]

    def wal_bytes(self) -> int:
        """What all WAL of all clusters takes, as it is compressed."""
        return sum(each.size for each in self._listed.values())

    def wal_size(self, chosen: Candidate, files: int) -> int:
        """As they are on the database's disk, where they are not compressed."""
        return files * SEGMENT_SIZE

    def unneeded(self, kept: Sequence[Backup], cluster: str | None = None) -> tuple[int, int]:
        """What lies before all of the kept backups of its cluster, and all of clusters that are no more."""
        sizes = [size for system in self.systems() for size in self._unneeded(system, kept)]
        return len(sizes), sum(sizes)

    def _unneeded(self, system: str, kept: Sequence[Backup]) -> list[int]:
        starts = [
            segment_of(backup.timeline, backup.wal_start).number
            for backup in kept
            if backup.system == system and backup.timeline is not None and backup.wal_start is not None
        ]
        present = self._info.present
        if not starts and present and present[0] == system:
            return []
        edge = min(starts, default=sys.maxsize)
        return [size for segment, size in self.archive(system).sizes().items() if segment.number < edge]

    def entries(self) -> Sequence[Backup]:
        """All backups, oldest first; one that cannot be read is none to pgBackRest."""
        return self._info.backups

    def backups(self) -> Sequence[Backup]:
        """All backups, oldest first."""
        return self._info.backups

    def entry(self, identifier: str) -> Backup | None:
        """The one with this id, None where there is none."""
        return next((backup for backup in self._info.backups if backup.id == identifier), None)

    def dumps(self) -> Sequence[Backup]:
        """None: pgBackRest takes none."""
        return ()

    def present(self) -> tuple[str, str] | None:
        """The cluster whose WAL it takes: its identifier and its version; None where it knows none yet."""
        return self._info.present

    def place(self, backup: Backup) -> str:
        """Its folder below the repository."""
        return f"{self._tool.where}/backup/{self._tool.stanza}/{backup.id}"

    def systems(self) -> Sequence[str]:
        """The clusters of which WAL is archived."""
        return sorted({self._info.systems[archive] for archive in self._listed if archive in self._info.systems})

    def archive(self, system: str) -> RemoteArchive:
        """The archived WAL of one cluster."""
        mine = [each for archive, each in self._listed.items() if self._info.systems.get(archive) == system]
        return RemoteArchive(f"{self._tool.where}/{self._folder}", mine, self._read)

    def names(self) -> Mapping[str, Sequence[str]]:
        """The names of the segments in each archive, by its id."""
        return {archive: [segment.name for segment in each.segments] for archive, each in self._listed.items()}

    def archives(self, system: str) -> Sequence[str]:
        """The ids of the archives of one cluster: it has a new one where another had the repository meanwhile."""
        return sorted(archive for archive in self._listed if self._info.systems.get(archive) == system)

    def noted(self, backup: Backup) -> Sequence[tuple[str, str]]:
        """The names of histories, each with the checksum that was noted of it with the backup."""
        return [
            (name, digest)
            for name, digest in self._info.sums.get(backup.id, {}).items()
            if history_of(name) is not None
        ]

    def files(self) -> Files:
        """All files, and what was noted of them."""
        info = self._info
        return Files(list(self._files("archive")), list(self._files("backup")), info.archives, info.sums)

    def tails(self) -> Mapping[str, Tail]:
        """None: the receiver needs the archive of plain files, to throw away what is there."""
        return {}

    @property
    def _folder(self) -> str:
        return f"archive/{self._tool.stanza}"

    def _read(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = self._tool.ask("repo-get", f"{self._folder}/{path}")
        return self._texts[path]

    @cached_property
    def _info(self) -> Info:
        with self._understood():
            found = read_info(self._tool.ask("info", "--output=json"))
        if found.fault:
            raise self._faulty(found.fault)
        if found.bare and any("/" in path for folder in ("archive", "backup") for path in self._files(folder)):
            what = f"{self._tool.where} has lost its lists: there are backups or WAL, and nothing says of what"
            raise Damaged(what, hint="bring back archive.info and backup.info, or a copy of either")
        return found

    def _faulty(self, said: str) -> StackError:
        error = explained(said, self._tool.where)
        # What a wrong passphrase makes of the lists, damage can make of them too.
        if str(error).startswith("backup.encryption") and opens(self._tool):
            return explained(said, self._tool.where, opened=True)
        return error

    @cached_property
    def _listed(self) -> Mapping[str, Listed]:
        if not self._info.systems:
            return {}
        with self._understood():
            return read_listing(self._listing("archive"))

    def _files(self, folder: str) -> Iterator[str]:
        with self._understood():
            entries: dict[str, Any] = json.loads(self._listing(folder))
        return (path for path, entry in entries.items() if entry["type"] == "file")

    def _listing(self, folder: str) -> str:
        """What is below one of the stanza's folders."""
        if folder not in self._listings:
            place = f"{folder}/{self._tool.stanza}"
            self._listings[folder] = self._tool.ask("repo-ls", "--recurse", "--output=json", place)
        return self._listings[folder]

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            what = f"{self._tool.where}: {type(error).__name__}: {error}"
            raise Damaged(what, hint="see what pgbackrest says") from error
