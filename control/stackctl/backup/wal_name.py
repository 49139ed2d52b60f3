"""Names of WAL segments and positions in the WAL. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

SEGMENT_SIZE = 16 * 2**20
_PER_LOG = 2**32 // SEGMENT_SIZE
_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_HISTORY = re.compile(r"([0-9A-F]{8})\.history")
_LABEL = re.compile(r"[0-9A-F]{24}\.[0-9A-F]{8}\.backup")
# A promoted server leaves the last segment of the old timeline with this name, where nobody archived it before.
_PARTIAL = re.compile(r"[0-9A-F]{24}\.partial")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_LINE = re.compile(r"\s*(\d+)\s+([0-9A-Fa-f]+/[0-9A-Fa-f]+)(?:\s|$)")


@dataclass(frozen=True, order=True)
class Lsn:
    """A position in the WAL, in bytes from its beginning."""

    value: int

    def __str__(self) -> str:
        return f"{self.value >> 32:X}/{self.value & 0xFFFFFFFF:X}"


@dataclass(frozen=True, order=True)
class Segment:
    """One file of 16 MB: the `number`th of its timeline, counted from position 0/0."""

    timeline: int
    number: int

    @property
    def name(self) -> str:
        """The file's name: timeline, then the position's upper and lower half, 8 hex digits each."""
        return f"{self.timeline:08X}{self.number // _PER_LOG:08X}{self.number % _PER_LOG:08X}"

    @property
    def start(self) -> Lsn:
        """Its first byte."""
        return Lsn(self.number * SEGMENT_SIZE)

    @property
    def end(self) -> Lsn:
        """The first byte behind it."""
        return Lsn((self.number + 1) * SEGMENT_SIZE)

    def next(self) -> Segment:
        """The segment behind it, on the same timeline."""
        return Segment(self.timeline, self.number + 1)


@dataclass(frozen=True)
class Branch:
    """One line of a history file: where `parent` was left."""

    parent: int
    at: Lsn


def lsn(text: str) -> Lsn:
    """Read `16/B374D848`. Raises ValueError where it is no position."""
    match = _LSN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no WAL position, such as 16/B374D848")
    return Lsn((int(match[1], 16) << 32) + int(match[2], 16))


def segment_of(timeline: int, position: Lsn) -> Segment:
    """The segment that holds the byte at `position`."""
    return Segment(timeline, position.value // SEGMENT_SIZE)


def last_segment(timeline: int, end: Lsn) -> Segment:
    """The segment that holds the byte before `end`, which is all that recovery to `end` reads."""
    return Segment(timeline, max(end.value - 1, 0) // SEGMENT_SIZE)


def parse_segment(name: str) -> Segment | None:
    """The segment with this name, None where it is none."""
    match = _SEGMENT.fullmatch(name)
    if match is None or int(match[3], 16) >= _PER_LOG:
        return None
    return Segment(int(match[1], 16), int(match[2], 16) * _PER_LOG + int(match[3], 16))


def history_of(name: str) -> int | None:
    """The timeline whose history file this is."""
    match = _HISTORY.fullmatch(name)
    return int(match[1], 16) if match else None


def is_wal_file(name: str) -> bool:
    """Whether the server would archive a file of this name: a segment or a part, a history, a label."""
    return bool(parse_segment(name) or history_of(name) or _LABEL.fullmatch(name) or _PARTIAL.fullmatch(name))


def parse_history(text: str) -> tuple[Branch, ...]:
    """The branches of a history file, oldest first. Raises ValueError for a line that is none."""
    branches = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"{line!r} is no line of a timeline history")
        branches.append(Branch(int(match[1]), lsn(match[2])))
    return tuple(branches)
