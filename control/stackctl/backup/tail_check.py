"""Whether what was received is sound as far as it goes: its records carry checksums, its files have none of ours."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackctl.backup import wal_page
from stackctl.backup.plain_file import content
from stackctl.backup.tail import Received, Tail
from stackctl.backup.verify import Finding
from stackctl.backup.wal_name import SEGMENT_SIZE, Lsn, lsn, parse_segment
from stackctl.engine.base import Programs
from stackctl.errors import EngineFailed

_HOURS = 3600.0
_TRIES = 3
# A record may end in zeros, by which the end of what was received is seen. Nothing is sent up to a place like that.
_ZEROS = 8
# The reader names the record that it cannot read, or the page; or it found none to begin with.
_RECORD = re.compile(r"\b(?:at|LSN) ([0-9A-F]+/[0-9A-F]+)")
_ON_PAGE = re.compile(r"segment ([0-9A-F]{24}).* offset (\d+)")
_NOTHING = "could not find a valid record after"


class _Moved(Exception):
    """What was just there was archived, and is judged there."""


class TailCheck:
    """Reads the tails of one repository with PostgreSQL's own reader, in `folder`.

    The last record may be there in part. What nobody reads is not judged: the rest of a segment after a switch, and
    what fills a record up to eight bytes.
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs, self._folder = programs, folder

    def damaged(self, system: str, tail: Tail) -> list[Finding]:
        """Files of a cluster's tail in which there are bytes that were not sent.

        Raises EngineFailed where the reader cannot do its work.
        """
        for _ in range(_TRIES):
            try:
                found = [self._judge(run, system) for run in _runs(tail)]
            except _Moved:
                continue
            return [*_cut_off(tail), *(each for each in found if each is not None)]
        raise EngineFailed("what is received leaves faster than it can be read", hint="stackctl wal verify, once more")

    def _judge(self, run: Sequence[Received], system: str) -> Finding | None:
        number = wal_page.magic([_content(run[0]), _content(run[-1])])
        for each in run:
            if (at := wal_page.bad_page(_content(each), each.segment, system, number)) is not None:
                return _finding(each, Lsn(each.segment.start.value + at), run[-1])
        stop = self._stop(run, number)
        # What comes in while it is read looks like damage where it was cut; damage stays where it is.
        if stop is None or self._stop(run, number) != stop:
            return None
        (bad,) = (each for each in run if each.segment.start <= stop < each.segment.end)
        return _finding(bad, stop, run[-1])

    def _stop(self, run: Sequence[Received], number: int) -> Lsn | None:
        """Where the reader cannot go on although more was received; None where it reads all."""
        last, received = run[-1].segment.start.value, _content(run[-1])
        end = last + len(received.rstrip(b"\0"))
        said = self._read(run)
        # A tail that an older server left has its own format.
        if said is None or f"magic number {number:04X}" in said:
            return None
        stop = _position(said)
        if stop is None:
            # Nothing begins in it: all of it may be the rest of one record.
            start = run[0].segment.start
            rest = wal_page.carried_over(_content(run[0]))
            covered = wal_page.behind(start.value + wal_page.LONG_HEAD, rest) >= end
            return None if covered or end <= start.value + wal_page.LONG_HEAD else start
        if stop.value >= end or (stop.value >= last and self._is_cut(run[-1], received, stop.value - last)):
            return None
        return stop

    def _is_cut(self, partial: Received, read: bytes, at: int) -> bool:
        """Whether what is unreadable `at` an offset is the last record, of which the rest has not come."""
        end, page = len(read.rstrip(b"\0")), at - at % wal_page.PAGE + wal_page.PAGE
        if page < end:
            said = self._read([partial], "--start", str(Lsn(partial.segment.start.value + page)))
            if said is None or _position(said) is not None:
                return False
        if at % wal_page.PAGE == 0:
            return end - at < wal_page.LONG_HEAD
        # A record begins with its length.
        length = int.from_bytes(read[at : at + 4], "little")
        return wal_page.behind(at, length) > end + _ZEROS

    def _read(self, run: Sequence[Received], *words: str) -> str | None:
        """What the reader says of the first error, None without one."""
        place = self._folder / "tail"
        place.mkdir(mode=0o700)
        for each in run:
            (place / each.segment.name).symlink_to(each.path)
        self._programs.own(place)
        argv = ("--quiet", "--path", str(place), *words, run[0].segment.name, run[-1].segment.name)
        folders = [place, *{each.path.parent for each in run}]
        done = self._programs.run("pg_waldump", *argv, folders=folders, check=False, timeout=_HOURS)
        shutil.rmtree(place)
        if done.returncode == 0:
            return None
        said = done.stderr.strip()
        if _NOTHING in said or _position(said) is not None:
            return said
        if not all(each.path.exists() for each in run):
            raise _Moved
        reason = said.splitlines()[-1] if said else f"pg_waldump ended with {done.returncode}"
        raise EngineFailed(f"the tail cannot be read: {reason}", hint=f"look at the disk of {run[0].path.parent}")


def _runs(tail: Tail) -> Iterator[list[Received]]:
    """Segments that follow each other on one timeline."""
    run: list[Received] = []
    for segment, received in sorted(tail.longest().items()):
        if run and segment != run[-1].segment.next():
            yield run
            run = []
        run.append(received)
    if run:
        yield run


def _content(received: Received) -> bytes:
    try:
        return content(received.path, SEGMENT_SIZE)
    except FileNotFoundError as error:
        raise _Moved from error


def _cut_off(tail: Tail) -> Iterator[Finding]:
    """A segment gets its name when it is whole."""
    for path, size in tail.sizes():
        if parse_segment(path.name) is not None and size != SEGMENT_SIZE:
            yield Finding(str(path), f"has {size} bytes, not {SEGMENT_SIZE}")


def _finding(bad: Received, stop: Lsn, last: Received) -> Finding:
    early = last.end.value - stop.value
    return Finding(str(bad.path), f"is not as it was received at {stop}: recovery would end there, {early} bytes early")


def _position(said: str) -> Lsn | None:
    """The record or the page that the reader names."""
    if _NOTHING in said:
        return None
    if found := _ON_PAGE.search(said):
        segment = parse_segment(found[1])
        return Lsn(segment.start.value + int(found[2])) if segment else None
    positions = _RECORD.findall(said)
    return lsn(positions[-1]) if positions else None
