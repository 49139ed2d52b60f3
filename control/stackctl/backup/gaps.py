"""What an archive lacks: segments between those that are there, along the timelines. Pure."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.wal_name import Segment, last_segment, segment_of
from stackctl.backup.windows import Histories


@dataclass(frozen=True, order=True)
class Gap:
    """Segments of one timeline that are missing, `first` to `last`."""

    first: Segment
    last: Segment

    @property
    def files(self) -> int:
        """How many are missing."""
        return self.last.number - self.first.number + 1

    def segments(self) -> Iterator[Segment]:
        """Each of them."""
        return (Segment(self.first.timeline, number) for number in range(self.first.number, self.last.number + 1))

    def __str__(self) -> str:
        return self.first.name if self.files == 1 else f"{self.first.name} to {self.last.name} ({self.files} files)"


def find_gaps(archived: Collection[Segment], histories: Histories, newest: Segment | None = None) -> list[Gap]:
    """Gaps between where each timeline begins and where it was left.

    It begins with its first segment that is there, or where its history says, while WAL of before that is kept.
    `newest` is the last that the server archived, or gave up, as it says itself.
    """
    ends = [*archived, *([newest] if newest else []), *_left(archived, histories)]
    found: list[Gap] = []
    for timeline in sorted({segment.timeline for segment in archived}):
        there = {segment.number for segment in archived if segment.timeline == timeline}
        first = min(_beginning(timeline, archived, histories), *there)
        last = max(segment.number for segment in ends if segment.timeline == timeline)
        missing = (Segment(timeline, number) for number in range(first, last + 1) if number not in there)
        found += _joined(missing)
    return found


def gaps_of(segments: Iterable[Segment]) -> list[Gap]:
    """Segments that are missing, those that follow each other as one."""
    return _joined(sorted(segments))


def own_segments(backup: Backup) -> frozenset[Segment]:
    """The segments that a physical backup has in itself: from its start to its stop."""
    if backup.timeline is None or backup.wal_start is None or backup.wal_stop is None:
        return frozenset()
    first, last = segment_of(backup.timeline, backup.wal_start), last_segment(backup.timeline, backup.wal_stop)
    return frozenset(Segment(backup.timeline, number) for number in range(first.number, last.number + 1))


def healed(gap: Gap, backups: Iterable[Backup]) -> bool:
    """Whether a good backup begins behind the gap, so that recovery to now does not need it."""
    return any(
        backup.status is Status.OK and backup.kind is not Kind.LOGICAL and min(own, default=gap.first) > gap.last
        for backup in backups
        if (own := own_segments(backup))
    )


def passed(gap: Gap, archived: Iterable[Segment]) -> bool:
    """Whether the archive goes on behind the gap: the server archives again what it writes."""
    end = gap.last
    return any(each.number > end.number and each.timeline >= end.timeline for each in archived)


def needed(gap: Gap, backups: Sequence[Backup]) -> bool:
    """Whether recovery from any of `backups` would need it; without a backup nobody knows what will."""
    own = [segments for backup in backups if (segments := own_segments(backup))]
    return not own or any(min(segments) <= gap.last for segments in own)


def _beginning(timeline: int, archived: Collection[Segment], histories: Histories) -> int:
    """Where a timeline began, which needs a segment of its own even inside one of its parent's.

    Above all where no history says so, and where the older WAL is gone: then that segment was expired too.
    """
    oldest = min(segment.number for segment in archived)
    starts = [segment_of(timeline, branch.at).number for branch in histories.get(timeline, ())[-1:]]
    return next((start for start in starts if start >= oldest), sys.maxsize)


def _left(archived: Collection[Segment], histories: Histories) -> Iterator[Segment]:
    """The last whole segment of each timeline that another one left; the new one has a copy of the part after it."""
    for timeline, branches in histories.items():
        if branches and any(segment.timeline == timeline for segment in archived):
            branch = branches[-1]
            yield Segment(branch.parent, segment_of(branch.parent, branch.at).number - 1)


def _joined(missing: Iterable[Segment]) -> list[Gap]:
    found: list[Gap] = []
    for segment in missing:
        if found and found[-1].last.next() == segment:
            found[-1] = Gap(found[-1].first, segment)
        else:
            found.append(Gap(segment, segment))
    return found
