"""How far recovery reaches: unbroken WAL from a backup on, along the timelines. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stackctl.backup.model import Backup
from stackctl.backup.wal_name import Branch, Lsn, Segment, last_segment, segment_of

Histories = Mapping[int, Sequence[Branch]]
_BEGINNING = Lsn(0)
_BEYOND = Lsn(2**64)


@dataclass(frozen=True)
class Window:
    """Recovery from one backup: from its end to `end` on `timeline`.

    `gap` is the first segment that is missing although later ones are there; None where the WAL simply ends.
    """

    backup: str
    begin: Lsn
    end: Lsn
    timeline: int
    gap: Segment | None = None


@dataclass(frozen=True)
class _Leg:
    """A stretch of one timeline; `end` is None on the last."""

    timeline: int
    end: Lsn | None


def window(
    backup: Backup,
    archived: Collection[Segment],
    histories: Histories,
    timeline: int,
    ends: Mapping[Segment, Lsn] = MappingProxyType({}),
) -> Window | None:
    """What can be reached from `backup` towards `timeline`; None where that is no descendant of the backup's.

    `ends` says how far the segments go that were received in part.

    Without the segments from its own start to its stop the backup is of no use: then `end` lies before `begin`.
    """
    assert backup.timeline is not None, backup.id  # noqa: S101
    assert backup.wal_start is not None, backup.id  # noqa: S101
    assert backup.wal_stop is not None, backup.id  # noqa: S101
    legs = _legs(backup.timeline, backup.wal_stop, timeline, histories)
    if legs is None:
        return None
    there = frozenset(archived)
    known = there.union(ends)
    position = segment_of(backup.timeline, backup.wal_start)
    for leg in legs:
        position = Segment(leg.timeline, position.number)
        stop = last_segment(leg.timeline, leg.end) if leg.end is not None else None
        while stop is None or position <= stop:
            if position not in there and not _copied(position, stop, legs, known):
                end = min(ends.get(position, position.start), leg.end or _BEYOND)
                return Window(backup.id, backup.wal_stop, end, leg.timeline, _gap(position, legs, there))
            position = position.next()
        # The next timeline begins inside this segment, or with the next one.
        position = segment_of(leg.timeline, leg.end) if leg.end is not None else position
    raise AssertionError("the last leg has no end")


def newest_timeline(histories: Histories, archived: Collection[Segment], start: int, after: Lsn = _BEGINNING) -> int:
    """The newest timeline that left `start` at `after` or later, itself where there is no other."""
    known = {segment.timeline for segment in archived} | set(histories) | {start}
    return max(timeline for timeline in known if timeline == start or _descends(timeline, start, after, histories))


def leads(backup: Backup, timeline: int, histories: Histories) -> bool:
    """Whether recovery from `backup` can go along `timeline`, as far as the histories say."""
    if backup.timeline is None or backup.wal_stop is None:
        return False
    return _legs(backup.timeline, backup.wal_stop, timeline, histories) is not None


def _descends(timeline: int, start: int, after: Lsn, histories: Histories) -> bool:
    return any(branch.parent == start and branch.at >= after for branch in histories.get(timeline, ()))


def _legs(start: int, stop: Lsn, timeline: int, histories: Histories) -> list[_Leg] | None:
    if timeline == start:
        return [_Leg(timeline, None)]
    branches = list(histories.get(timeline, ()))
    parents = [branch.parent for branch in branches]
    if start not in parents:
        return None
    mine = branches[parents.index(start) :]
    if mine[0].at < stop:
        # The other history left before this backup was complete.
        return None
    return [*(_Leg(branch.parent, branch.at) for branch in mine), _Leg(timeline, None)]


def _copied(missing: Segment, stop: Segment | None, legs: Sequence[_Leg], there: Collection[Segment]) -> bool:
    """Whether a later timeline has it, whole or its begin: a promoted server takes what it needs of the last along."""
    if missing != stop:
        return False
    later = [leg.timeline for leg in legs if leg.timeline > missing.timeline]
    return any(Segment(timeline, missing.number) in there for timeline in later)


def _gap(missing: Segment, legs: Sequence[_Leg], there: Collection[Segment]) -> Segment | None:
    mine = {leg.timeline for leg in legs if leg.timeline >= missing.timeline}
    return missing if any(s.timeline in mine and s.number > missing.number for s in there) else None
