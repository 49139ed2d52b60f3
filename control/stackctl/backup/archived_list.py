"""The list of what was archived, so that a file that vanished is missed. Pure.

The archive command adds a line for each file, its name in the archive. Who expires WAL adds where the rest begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.backup.wal_name import Segment, parse_segment

LIST = "archived.txt"
_SEGMENT = 24
_LINE = re.compile(r"(?P<file>[0-9A-F]{8,24}(?:\.[0-9A-Za-z.]+)?-\d+-\d+)|before (?P<begin>[0-9A-F]{24}) expired")


@dataclass(frozen=True)
class Listed:
    """Names of files that should be there, those that may have gone, lines that nobody wrote; or why it is no list."""

    names: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()
    wrong: str = ""


def read(content: bytes) -> Listed:
    """What a list says."""
    lines = content.decode(errors="backslashreplace").split("\n")
    # Every line is whole, so that nothing follows the last end of a line.
    damaged = [lines[-1]] if lines[-1] else []
    names, begin = set(), 0
    for line in lines[:-1]:
        match = _LINE.fullmatch(line)
        if match is None:
            damaged.append(line)
        elif match["file"]:
            names.add(match["file"])
        else:
            begin = max(begin, number_of(match["begin"]) or 0)
    expired = frozenset(name for name in names if (number := number_of(name)) is not None and number < begin)
    return Listed(frozenset(names) - expired, expired, tuple(damaged))


def expiry(names: Iterable[str]) -> bytes:
    """The line that says that all up to the last of `names` may be gone. Empty where none has a place."""
    numbers = [number for name in names if (number := number_of(name)) is not None]
    return f"before {Segment(1, max(numbers) + 1).name} expired\n".encode() if numbers else b""


def number_of(name: str) -> int | None:
    """Where a segment, or the label of a backup that began in it, stands in the WAL; None for a history."""
    segment = parse_segment(name[:_SEGMENT])
    return segment.number if segment else None
