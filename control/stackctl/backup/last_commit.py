"""When the last transaction ended that the archive reaches: recovery to a later time would not end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.archive import Archive
from stackctl.backup.plain_file import NotPlain, content
from stackctl.backup.tail import Tail
from stackctl.backup.wal_name import SEGMENT_SIZE, Segment, last_segment, segment_of
from stackctl.backup.windows import Window
from stackctl.engine.base import Programs
from stackctl.errors import Damaged

_COMMIT = re.compile(r"desc: (?:COMMIT|ABORT)(?:_PREPARED)? (?:\S+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")
# A server that is busy without committing is rare; an idle one archives nothing.
_SEGMENTS = 64


def last_commit(
    archive: Archive, tail: Tail, reach: Window, begin: datetime, programs: Programs, folder: Path
) -> datetime | None:
    """The time of the last commit in `reach`, by PostgreSQL's own reader in `folder`; `begin` where there is none.

    None where it is too far back to look for.
    """
    received = {segment.name: each.path for segment, each in tail.longest().items()}
    files = received | {file.name: file.path for file in archive.files()}
    last, first = last_segment(reach.timeline, reach.end), segment_of(reach.timeline, reach.begin)
    earliest = max(first.number, last.number - _SEGMENTS)
    for number in range(last.number, earliest - 1, -1):
        times = _commits(Segment(reach.timeline, number), files, programs, folder)
        if times:
            return max(times)
    return begin if earliest == first.number else None


def _commits(segment: Segment, files: Mapping[str, Path], programs: Programs, folder: Path) -> list[datetime]:
    if segment.name not in files:
        return []
    place = folder / "wal"
    # The account's last of all: nothing is written where it may have put a link.
    place.mkdir(mode=0o700)
    (place / segment.name).write_bytes(_bytes(files[segment.name]))
    programs.own(place)
    # It ends with an error where the file does.
    words = ("--rmgr", "Transaction", str(place / segment.name))
    done = programs.run("pg_waldump", *words, folders=[place], check=False, timeout=600)
    shutil.rmtree(place)
    return [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in _COMMIT.findall(done.stdout)]


def _bytes(path: Path) -> bytes:
    """Those of a segment itself: the account gets them, and what a link of its own leads to is not its to read."""
    try:
        return content(path, SEGMENT_SIZE)
    except NotPlain as error:
        raise Damaged(f"{path} {error.strerror}", hint="stackctl wal verify; restore to a moment before it") from error
