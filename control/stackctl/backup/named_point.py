"""Where restore points with a name are in the WAL, by PostgreSQL's own reader, and which backup leads to one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from stackctl.backup.restore_plan import Candidate, good_ones
from stackctl.backup.target import Target
from stackctl.backup.wal_files import WalFiles, dumped
from stackctl.backup.wal_name import Lsn, last_segment, lsn, segment_of
from stackctl.engine.base import Programs
from stackctl.errors import RestoreRefused

# Where points with the goal's name are between the start of a backup and a position, the first of them at least; None
# where nobody knows.
Points = Callable[[Candidate, Target, Lsn | None], Collection[Lsn] | None]

_POINT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), .*?desc: RESTORE_POINT (.*)")


def nobody_knows(chosen: Candidate, goal: Target, until: Lsn | None) -> Collection[Lsn] | None:
    """No answer: nobody reads the WAL."""


def leading(candidates: Sequence[Candidate], goal: Target, points: Points) -> Candidate | None:
    """The newest good one of `candidates`, oldest first, from which recovery stops at the goal's name.

    None where nobody knows, or where none has any WAL. Raises RestoreRefused where no WAL has the name.
    """
    good = [each for each in good_ones(candidates) if each.window and each.window.begin < each.window.end]
    # Positions of several clusters have nothing to do with each other.
    good = [each for each in good if each.backup.system == good[-1].backup.system]
    seen: set[Lsn] = set()
    until = None
    for each in reversed(good):
        found = points(each, goal, until)
        if found is None:
            return None
        seen.update(found)
        if _leads(each, seen):
            return each
        until = each.backup.wal_start
    if not good:
        return None
    raise RestoreRefused(
        f"no good backup leads to {goal}: " + ("what has it is not behind one" if seen else "no archived WAL has it"),
        hint="stackctl wal verify; stackctl wal status shows what each reaches; --to takes a time or a position too",
    )


def _leads(candidate: Candidate, points: Collection[Lsn]) -> bool:
    """Recovery stops at the first of the name, and must be consistent by then."""
    backup, reach = candidate.backup, candidate.window
    if reach is None or backup.wal_start is None or backup.wal_stop is None:
        return False
    ahead = [point for point in points if point >= backup.wal_start]
    return bool(ahead) and backup.wal_stop <= min(ahead) < reach.end


def points_in(
    files: WalFiles, programs: Programs, folder: Path, candidate: Candidate, goal: Target, until: Lsn | None
) -> frozenset[Lsn]:
    """Where WAL has points with the goal's name, from the start of a backup to `until`, or its end.

    Recovery stops at the first: what lies further behind that than is read in one go is left out. `folder` is one to
    work in. Raises WalUnread.
    """
    reach, start = candidate.window, candidate.backup.wal_start
    assert reach is not None, candidate.backup.id  # noqa: S101
    assert start is not None, candidate.backup.id  # noqa: S101
    # A point that begins in one segment may end in the next.
    last = last_segment(reach.timeline, reach.end if until is None else min(until, reach.end)).number + 1
    there = files.numbers()
    numbers = [number for number in range(segment_of(reach.timeline, start).number, last + 1) if number in there]
    for stretch in _stretches(numbers, files.most):
        said = dumped(files, programs, folder, "XLOG", reach.timeline, stretch)
        found = frozenset(lsn(at) for at, name in _POINT.findall(said) if name == goal.name)
        if any(point >= start for point in found):
            return found
    return frozenset()


def _stretches(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """At most so many at once; each begins with the last one before, where a point may begin that ends in it."""
    for first in range(0, max(len(numbers) - 1, min(len(numbers), 1)), most - 1):
        yield numbers[first : first + most]
