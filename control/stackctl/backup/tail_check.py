"""Whether what was received is sound as far as it goes: its records carry checksums, its files have none of ours."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from stackctl.backup.plain_file import content
from stackctl.backup.tail import Received, Tail
from stackctl.backup.verify import Finding
from stackctl.backup.wal_name import SEGMENT_SIZE, Lsn, lsn, parse_segment
from stackctl.engine.base import Programs

_PAGE = 8192
_PAGE_HEAD = 24
# A record may end in some, and where what was received ends is seen by them. Nothing is sent up to a place like that.
_ZEROS = 8
_HOURS = 3600.0
# The reader names the record that it cannot read, or the page.
_RECORD = re.compile(r"\b(?:at|LSN) ([0-9A-F]+/[0-9A-F]+)")
_ON_PAGE = re.compile(r"segment ([0-9A-F]{24}).* offset (\d+)")
_NOTHING = "could not find a valid record after"


def damaged_tail(tail: Tail, programs: Programs, folder: Path) -> list[Finding]:
    """Files of the tail in which PostgreSQL's own reader comes upon bytes that were not sent.

    `folder` is one to work in. The last record may be there in part. What nobody reads is not judged: the rest of a
    segment after a switch.
    """
    return [found for run in _runs(tail) if (found := _judge(run, programs, folder)) is not None]


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


def _judge(run: Sequence[Received], programs: Programs, folder: Path) -> Finding | None:
    # Looked at before the reader goes, as more may come in meanwhile.
    end = run[-1].end
    stop = _stop(run, programs, folder)
    if stop is None or stop >= end or _is_cut(run, stop, end, programs, folder):
        return None
    (bad,) = (each for each in run if each.segment.start <= stop < each.segment.end)
    if not bad.path.exists():
        # It was archived meanwhile, and is judged there.
        return None
    reason = f"is not as it was received from {stop} on; recovery would end there, {end.value - stop.value} bytes early"
    return Finding(str(bad.path), reason)


def _is_cut(run: Sequence[Received], stop: Lsn, end: Lsn, programs: Programs, folder: Path) -> bool:
    """Whether what is unreadable at `stop` is the last record, of which the rest has not come."""
    page = Lsn(stop.value - stop.value % _PAGE + _PAGE)
    if page < end and _NOTHING not in _read(run, programs, folder, "--start", str(page)):
        return False
    offset = stop.value - run[-1].segment.start.value
    if offset < 0:
        return False
    if offset % _PAGE == 0:
        return end.value - stop.value < _PAGE_HEAD
    with suppress(OSError):
        # A record begins with its length.
        length = int.from_bytes(content(run[-1].path, SEGMENT_SIZE)[offset : offset + 4], "little")
        return _behind(stop, length).value > end.value + _ZEROS
    return True


def _behind(start: Lsn, length: int) -> Lsn:
    """The first byte behind a record, which goes on behind the heads of pages."""
    room = _PAGE - start.value % _PAGE
    heads = -(-max(0, length - room) // (_PAGE - _PAGE_HEAD))
    return Lsn(start.value + length + heads * _PAGE_HEAD)


def _stop(run: Sequence[Received], programs: Programs, folder: Path) -> Lsn | None:
    """The record or page that cannot be read; None where all can be."""
    said = _read(run, programs, folder)
    if found := _ON_PAGE.search(said):
        segment = parse_segment(found[1])
        return Lsn(segment.start.value + int(found[2])) if segment else None
    positions = _RECORD.findall(said)
    return lsn(positions[-1]) if positions else None


def _read(run: Sequence[Received], programs: Programs, folder: Path, *words: str) -> str:
    """What the reader says of the first error."""
    place = folder / "tail"
    place.mkdir(mode=0o700)
    for each in run:
        (place / each.segment.name).symlink_to(each.path)
    programs.own(place)
    folders = [place, *{each.path.parent for each in run}]
    names = (run[0].segment.name, run[-1].segment.name)
    done = programs.run(
        "pg_waldump", "--quiet", "--path", str(place), *words, *names, folders=folders, check=False, timeout=_HOURS
    )
    shutil.rmtree(place)
    return done.stderr.strip()
