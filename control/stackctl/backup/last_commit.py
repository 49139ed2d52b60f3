"""When the last transaction ended that the archive reaches: recovery to a later time would not end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.wal_files import WalFiles, dumped
from stackctl.backup.wal_name import last_segment, segment_of
from stackctl.backup.windows import Window
from stackctl.engine.base import Programs

_COMMIT = re.compile(r"desc: (?:COMMIT|ABORT)(?:_PREPARED)? (?:\S+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")
# A server that is busy without committing is rare; an idle one archives nothing.
_SEGMENTS = 64
# Most often the last segment has a commit. Where it has not, more are read at once, up to so many.
_AT_ONCE = 8


def last_commit(files: WalFiles, reach: Window, begin: datetime, programs: Programs, folder: Path) -> datetime | None:
    """The time of the last commit in `reach`, by PostgreSQL's own reader in `folder`; `begin` where there is none.

    None where it is too far back to look for. Raises WalUnread.
    """
    last, first = last_segment(reach.timeline, reach.end), segment_of(reach.timeline, reach.begin)
    earliest = max(first.number, last.number - _SEGMENTS)
    known, until, count = files.numbers(), last.number, 1
    while until >= earliest:
        stretch = range(max(earliest, until - count + 1), until + 1)
        there = [number for number in stretch if number in known]
        said = dumped(files, programs, folder, "Transaction", reach.timeline, there) if there else ""
        if times := [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in _COMMIT.findall(said)]:
            return max(times)
        until, count = stretch.start - 1, min(2 * count, _AT_ONCE, files.most)
    return begin if earliest == first.number else None
