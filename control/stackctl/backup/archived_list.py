"""The list of what was archived, so that a file that vanished is missed. Pure.

The archive command adds a line for each file, its name in the archive. Who expires WAL adds where the rest begins.

A file proves its own line, as long as it is there. Nothing would prove the lines of those that are gone, nor where the
rest begins, from which on files are missed. So the line of an expiry has checksums, as `cksum` prints them: one of the
list before it, of so many bytes, and as its last word one of its own other words. Earlier versions wrote neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.backup.posix_sum import PosixSum, posix_sum
from stackctl.backup.wal_name import Segment, parse_segment

LIST = "archived.txt"
_SEGMENT = 24
_LINE = re.compile(
    r"(?P<file>[0-9A-F]{8,24}(?:\.[0-9A-Za-z.]+)?-\d+-\d+)"
    r"|before (?P<begin>[0-9A-F]{24}) expired(?: (?P<bytes>\d+) (?P<sum>\d+) (?P<own>\d+))?"
)


@dataclass(frozen=True)
class Listed:
    """Names of files that should be there, those that may have gone, lines that nobody wrote; or why it is no list.

    `changed` says how much of it is not as it was when WAL expired, None where nothing is known to be.
    """

    names: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()
    changed: int | None = None
    wrong: str = ""


def read(content: bytes) -> Listed:
    """What a list says."""
    lines = content.decode(errors="backslashreplace").split("\n")
    # Every line is whole, so that nothing follows the last end of a line.
    damaged = [lines[-1]] if lines[-1] else []
    names, begin, sums = set(), 0, []
    # An empty one is in front of what had to be kept apart from a line that did not stay.
    for line in filter(None, lines[:-1]):
        match = _LINE.fullmatch(line)
        if match is None or not _is_whole(line, match["own"]):
            damaged.append(line)
        elif match["file"]:
            names.add(match["file"])
        else:
            begin = max(begin, number_of(match["begin"]) or 0)
            if match["own"]:
                sums.append((int(match["bytes"]), int(match["sum"])))
    expired = frozenset(name for name in names if (number := number_of(name)) is not None and number < begin)
    return Listed(frozenset(names) - expired, expired, tuple(damaged), _changed(content, sums))


def _is_whole(line: str, own: str | None) -> bool:
    return own is None or own == str(posix_sum(line.rpartition(" ")[0].encode()))


def _changed(content: bytes, sums: Iterable[tuple[int, int]]) -> int | None:
    """The fewest bytes at the begin of a list that have another checksum than one of `sums` says, each of so many."""
    found, done = PosixSum(), 0
    for size, wanted in sorted(sums):
        found.update(content[done:size])
        done = size
        if found.value != wanted:
            return size
    return None


def expiry(names: Iterable[str], content: bytes) -> bytes:
    """The line for a list with this `content` which says that all up to the last of `names` may be gone.

    Empty where none has a place. It begins on a line of its own, also where the last one has no end.
    """
    numbers = [number for name in names if (number := number_of(name)) is not None]
    if not numbers:
        return b""
    # Of a line that is just being written, nobody knows whether it stays.
    whole = content[: content.rfind(b"\n") + 1]
    said = f"before {Segment(1, max(numbers) + 1).name} expired {len(whole)} {posix_sum(whole)}"
    apart = "" if whole == content else "\n"
    return f"{apart}{said} {posix_sum(said.encode())}\n".encode()


def number_of(name: str) -> int | None:
    """Where a segment, or the label of a backup that began in it, stands in the WAL; None for a history."""
    segment = parse_segment(name[:_SEGMENT])
    return segment.number if segment else None
