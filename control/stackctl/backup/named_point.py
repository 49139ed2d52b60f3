"""Where restore points with a name are in the WAL, by PostgreSQL's own reader, and which backup leads to one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from stackctl.backup.repository import Repository
from stackctl.backup.restore_plan import Candidate, good_ones
from stackctl.backup.tail import reachable
from stackctl.backup.target import Target
from stackctl.backup.wal_name import Lsn, Segment, last_segment, lsn, parse_segment, segment_of
from stackctl.engine.base import Programs
from stackctl.errors import RestoreRefused

# Where points with the goal's name are between the start of a backup and a position; None where nobody knows.
Points = Callable[[Candidate, Target, Lsn | None], Collection[Lsn] | None]

_POINT = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), .*?desc: RESTORE_POINT (.*)")
_HOURS = 3600.0


def nobody_knows(chosen: Candidate, goal: Target, until: Lsn | None) -> Collection[Lsn] | None:
    """No answer: the WAL is away."""


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
    repository: Repository, programs: Programs, folder: Path, candidate: Candidate, goal: Target, until: Lsn | None
) -> frozenset[Lsn]:
    """Where the WAL of plain files has points with the goal's name, from the start of a backup to `until`, or its end.

    `folder` is one to work in.
    """
    reach, start = candidate.window, candidate.backup.wal_start
    assert reach is not None, candidate.backup.id  # noqa: S101
    assert start is not None, candidate.backup.id  # noqa: S101
    # A point that begins in one segment may end in the next.
    last = last_segment(reach.timeline, reach.end if until is None else min(until, reach.end)).number + 1
    files = _files(repository, candidate.backup.system, reach.timeline)
    numbers = [number for number in range(segment_of(reach.timeline, start).number, last + 1) if number in files]
    if not numbers:
        return frozenset()
    place = folder / "wal"
    # The account's last of all: nothing is written where it may have put a link.
    place.mkdir(mode=0o700)
    # The reader follows no history: to it, all is of one timeline.
    names = [Segment(reach.timeline, number).name for number in numbers]
    for name, number in zip(names, numbers, strict=True):
        (place / name).symlink_to(files[number])
    programs.own(place)
    words = ("--rmgr", "XLOG", "--path", str(place), names[0], names[-1])
    folders = [place, *repository.wal_folders()]
    # It ends with an error where the WAL does.
    done = programs.run("pg_waldump", *words, folders=folders, check=False, timeout=24 * _HOURS)
    shutil.rmtree(place)
    return frozenset(lsn(at) for at, name in _POINT.findall(done.stdout) if name == goal.name)


def _files(repository: Repository, system: str, timeline: int) -> dict[int, Path]:
    """By number, the file that recovery along `timeline` reads: that of the newest timeline that has it."""
    archive, tail = repository.archive(system), repository.tail(system)
    histories = reachable(archive, tail).histories
    lineage = {timeline, *(branch.parent for branch in histories.get(timeline, ()))}
    received = [(segment, each.path) for segment, each in tail.longest().items()]
    archived = [(segment, file.path) for file in archive.files() if (segment := parse_segment(file.name))]
    # What is archived comes after what was received of the same segment.
    known = sorted([*received, *archived], key=lambda pair: pair[0].timeline)
    return {segment.number: path for segment, path in known if segment.timeline in lineage}
