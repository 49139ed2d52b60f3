"""Archived WAL as files for PostgreSQL's own reader, wherever it is kept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from stackctl.backup.wal_name import Segment
from stackctl.backup.windows import Histories
from stackctl.engine.base import Programs
from stackctl.errors import EngineFailed

_HOURS = 3600.0
# The reader ends with 1 where the WAL does; it was not what ended with another one.
_READ = (0, 1)
# With 1 it ends too where the system gave it no more. What has fewer bytes than it should does end there.
_KEPT_BACK = re.compile(r"could not (?:open|read)\b(?!.*: read \d+ of \d+).*")


class WalUnread(EngineFailed):
    """Archived WAL was not read, for a reason that says nothing of it."""


class WalFiles(Protocol):
    """The segments that recovery along one timeline reads, by number."""

    @property
    def most(self) -> int:
        """How many are brought to the disk at once; two or more."""

    def numbers(self) -> Collection[int]:
        """Those that are there."""

    def bring(self, wanted: Mapping[str, int], place: Path) -> Sequence[Path]:
        """Put them into the empty folder `place` under these names, and give that to the account.

        The folders that the reader must reach besides. Raises WalUnread.
        """


def along(timeline: int, there: Iterable[Segment], histories: Histories) -> dict[int, Segment]:
    """By number, what recovery along `timeline` reads: that of the newest timeline that has it."""
    lineage = {timeline, *(branch.parent for branch in histories.get(timeline, ()))}
    return {segment.number: segment for segment in sorted(there) if segment.timeline in lineage}


def dumped(
    files: WalFiles, programs: Programs, folder: Path, rmgr: str, timeline: int, numbers: Collection[int]
) -> str:
    """What the reader says of the records of `rmgr` in segments without a gap, up to where they end; in `folder`.

    Raises WalUnread.
    """
    place = folder / "wal"
    # The account's last of all: nothing is written where it may have put a link.
    place.mkdir(mode=0o700)
    # The reader follows no history: to it, all is of one timeline.
    names = {Segment(timeline, number).name: number for number in numbers}
    folders = [place, *files.bring(names, place)]
    words = ("--rmgr", rmgr, "--path", str(place), min(names), max(names))
    done = programs.run("pg_waldump", *words, folders=folders, check=False, timeout=24 * _HOURS)
    shutil.rmtree(place)
    if done.returncode not in _READ:
        said = done.stderr.strip().splitlines()
        why = f": {said[-1]}" if said else ""
        raise WalUnread(f"pg_waldump ended with {done.returncode}{why}", hint="--verbose shows the command")
    if kept_back := _KEPT_BACK.search(done.stderr):
        raise WalUnread(f"pg_waldump: {kept_back[0]}", hint="stackctl wal verify names the files and the reason")
    return done.stdout
