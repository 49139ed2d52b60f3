"""Which archived WAL no backup needs any more. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stackctl.backup.archive import Archived
from stackctl.backup.model import Backup
from stackctl.backup.wal_name import parse_segment, segment_of

_SEGMENT_NAME = 24


def unneeded(files: Iterable[Archived], kept: Sequence[Backup], system: str) -> list[Archived]:
    """Those of `files`, the archive of the cluster `system`, that lie before all of its kept backups.

    Positions only grow, on whatever timeline, so that nothing before the oldest start is ever replayed. Without a kept
    backup of the cluster there is no such start, and all stays; so do the small histories of its timelines.
    """
    starts = [
        segment_of(backup.timeline, backup.wal_start).number
        for backup in kept
        if backup.system == system and backup.timeline is not None and backup.wal_start is not None
    ]
    return [file for file in files if starts and (number := _number(file)) is not None and number < min(starts)]


def _number(file: Archived) -> int | None:
    """Where a segment, or the label of a backup that began in it, stands in the WAL; None for other files."""
    segment = parse_segment(file.name[:_SEGMENT_NAME])
    return segment.number if segment else None
