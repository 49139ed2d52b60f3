"""The archives of a repository: what they hold, what they lack, and the problems that are told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.backup.gaps import Gap, find_gaps, gaps_of, healed, needed
from stackctl.backup.model import Backup
from stackctl.backup.protocol import Stored, WalArchive
from stackctl.backup.repository import is_dump
from stackctl.backup.retention import restorable
from stackctl.backup.verify import Finding, Unread
from stackctl.backup.wal_name import Segment, parse_segment
from stackctl.backup.windows import Histories
from stackctl.engine.archive_folder import TAIL
from stackctl.errors import Damaged, EngineFailed, Problem, WalGap
from stackctl.health.archiving import ArchiveUse

_HEAL = "stackctl backup takes one that begins behind it"


@dataclass(frozen=True)
class Held:
    """The archive of one cluster, and what it lacks.

    `unhealed` gaps have no good backup behind them; `wrong` are those that a backup needs, and what was archived and is
    gone.
    """

    system: str
    archive: WalArchive
    gaps: Sequence[Gap]
    unhealed: Sequence[Gap]
    wrong: Sequence[Gap]


def held_archives(stored: Stored, use: ArchiveUse | None) -> list[Held]:
    """The archive of each cluster; of the running one, `use` says what was archived last."""
    found = []
    for system in stored.systems():
        archive = stored.archive(system)
        # A label has the name of the segment in which its backup began.
        newest = parse_segment(use.last.partition(".")[0]) if use and use.last and use.system == system else None
        backups = [backup for backup in stored.backups() if backup.system == system]
        # The tail first: what leaves it meanwhile is in the archive.
        tail = stored.tails().get(system)
        received = tail.segments() if tail else frozenset()
        lacking = find_gaps(archive.segments(), known_histories(archive), newest)
        # What the tail has, a restore takes from there.
        gaps = gaps_of(segment for gap in lacking for segment in gap.segments() if segment not in received)
        found.append(_held(system, archive, gaps, backups))
    return found


def gap_problems(held: Sequence[Held]) -> list[Problem]:
    """One for each gap that recovery from a backup would need, or that was none when it was archived."""
    return [Problem("wal_gap", f"the archive lacks {gap}", _HEAL) for each in held for gap in each.wrong]


def gap_warnings(held: Sequence[Held]) -> list[Problem]:
    """One for each gap that no good backup has behind it."""
    return [
        Problem("wal_gap", f"the archive lacks {gap}: recovery ends there", _HEAL)
        for each in held
        for gap in each.unhealed
    ]


def found_data(found: Sequence[Finding]) -> dict[str, Any]:
    """What verification found for `--json`: what is wrong, and what could not be read and may be right."""
    told = [(isinstance(each, Unread), {"what": each.what, "reason": each.reason}) for each in found]
    return {"findings": [each for lost, each in told if not lost], "unread": [each for lost, each in told if lost]}


def found_code(found: Sequence[Finding], gaps: Sequence[Problem]) -> int:
    """The exit code of a verification: where something was not read, it is not done, whatever else was found."""
    if any(isinstance(each, Unread) for each in found):
        return EngineFailed.exit_code
    return Damaged.exit_code if found else WalGap.exit_code if gaps else 0


def found_problem(finding: Finding, *, takes_dumps: bool = True) -> Problem:
    """The error of a file that is not as it was written, or could not be read.

    Where the project `takes_dumps`, another one may take the place of a dump.
    """
    if isinstance(finding, Unread):
        return Problem("unread", f"{finding.what}: {finding.reason}", finding.hint)
    anew = "take a new one: stackctl backup"
    if is_dump(finding.what):
        anew = f"{anew} --logical" if takes_dumps else "keep the others"
    hint = f"do not rely on it; {anew}"
    if f"/{TAIL}" in finding.what:
        hint = "the server has it still: SELECT pg_switch_wal() sends it to the archive; look at the repository's disk"
    return Problem("damaged", f"{finding.what}: {finding.reason}", hint)


def _held(system: str, archive: WalArchive, gaps: Sequence[Gap], backups: Sequence[Backup]) -> Held:
    missing = [segment for gap in gaps if needed(gap, backups) for segment in gap.segments()]
    lost = [segment for name in archive.lost() if (segment := parse_segment(name))]
    good = restorable(backups)
    return Held(
        system,
        archive,
        gaps,
        [gap for gap in gaps if not healed(gap, good)],
        gaps_of({*missing, *lost}),
    )


def known_histories(archive: WalArchive) -> Histories:
    """The branches by timeline; none where a history is damaged."""
    try:
        return archive.histories()
    except ValueError:
        # Its damage is a finding of its own.
        return {}


def archive_data(held: Held) -> dict[str, Any]:
    """One archive for `--json`; `bytes` is what it takes on the disk."""
    (files, size), segments = held.archive.usage(), sorted(held.archive.segments(), key=_age)
    return {
        "system": held.system,
        "path": held.archive.place,
        "files": files,
        "bytes": size,
        "first": segments[0].name if segments else None,
        "last": segments[-1].name if segments else None,
        "gaps": [
            {"first": gap.first.name, "last": gap.last.name, "files": gap.files, "healed": gap not in held.unhealed}
            for gap in held.gaps
        ],
    }


def _age(segment: Segment) -> tuple[int, int]:
    return segment.number, segment.timeline
