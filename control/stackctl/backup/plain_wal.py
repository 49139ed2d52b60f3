"""WAL in plain files, archived and received, for PostgreSQL's own reader."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from stackctl.backup.repository import Repository
from stackctl.backup.tail import reachable
from stackctl.backup.wal_files import along
from stackctl.backup.wal_name import parse_segment
from stackctl.engine.base import Programs
from stackctl.errors import Damaged


class PlainWal:
    """What one cluster has along a timeline. Links lead to it, which cost nothing however many they are."""

    most = sys.maxsize

    def __init__(self, repository: Repository, programs: Programs, system: str, timeline: int) -> None:
        archive, tail = repository.archive(system), repository.tail(system)
        received = {segment: each.path for segment, each in tail.longest().items()}
        archived = {segment: file.path for file in archive.files() if (segment := parse_segment(file.name))}
        # What is archived comes before what was received of the same segment.
        paths = received | archived
        found = along(timeline, paths, reachable(archive, tail).histories)
        self._paths = {number: paths[segment] for number, segment in found.items()}
        self._programs = programs
        self._folders = repository.wal_folders()

    def numbers(self) -> Collection[int]:
        """Those that are archived or received."""
        return self._paths.keys()

    def bring(self, wanted: Mapping[str, int], place: Path) -> Sequence[Path]:
        """Links to the files, which the account reads itself. Raises Damaged where one is no file."""
        for name, number in wanted.items():
            path = self._paths[number]
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise Damaged(f"{path} is no ordinary file", hint="stackctl wal verify; restore to a moment before it")
            (place / name).symlink_to(path)
        self._programs.own(place)
        return self._folders
