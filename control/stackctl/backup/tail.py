"""The tail of the WAL: what was received, and is not archived yet, with the segment that is just being written."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackctl.backup.archive import history_in
from stackctl.backup.plain_file import content
from stackctl.backup.wal_name import SEGMENT_SIZE, Branch, Lsn, Segment, history_of, parse_segment

# What is received from one slot on one timeline, and its number.
_STRETCH = re.compile(r"[0-9A-F]{8}\.[0-9]{6}")
_PARTIAL = ".partial"


class _Archive(Protocol):
    """What is archived of one cluster."""

    def segments(self) -> frozenset[Segment]: ...

    def histories(self) -> Mapping[int, Sequence[Branch]]: ...


@dataclass(frozen=True)
class Received:
    """One received segment; `whole` is False for one that was still being written."""

    segment: Segment
    path: Path
    whole: bool

    @property
    def end(self) -> Lsn:
        """The first byte that was not received: from there on a partial one is zeros."""
        if self.whole:
            return self.segment.end
        try:
            return Lsn(self.segment.start.value + len(content(self.path, SEGMENT_SIZE).rstrip(b"\0")))
        except OSError:
            return self.segment.start


class Tail:
    """What the receiver keeps of one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def segments(self) -> frozenset[Segment]:
        """The whole segments that are there."""
        return frozenset(each.segment for each in self._received() if each.whole)

    def longest(self) -> dict[Segment, Received]:
        """What there is of each segment: of several the one that goes furthest."""
        found: dict[Segment, Received] = {}
        for each in self._received():
            known = found.get(each.segment)
            if known is None or (not known.whole and each.end > known.end):
                found[each.segment] = each
        return found

    def histories(self) -> dict[int, tuple[Branch, ...]]:
        """Branches by timeline; one that is not whole yet is left out, as the receiver fetches it again."""
        found = {}
        for path in self._files():
            if (timeline := history_of(path.name)) is not None:
                try:
                    found[timeline] = history_in(path)
                except (OSError, ValueError):
                    continue
        return found

    def end(self) -> tuple[int, Lsn] | None:
        """Timeline and first byte that was not received, of the newest timeline; None where nothing was."""
        found = self.longest()
        if not found:
            return None
        last = max(found)
        return last.timeline, found[last].end

    def strangers(self) -> list[str]:
        """Paths below the folder that the receiver did not make."""
        found = [path for path in _in(self.folder) if not (_STRETCH.fullmatch(path.name) and path.is_dir())]
        return sorted(str(path) for path in [*found, *(path for path in self._files() if not _known(path.name))])

    def sizes(self) -> list[tuple[Path, int]]:
        """The ordinary files that are there, with their sizes in bytes."""
        return [(path, found.st_size) for path in self._files() if (found := _plain(path))]

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(found.st_blocks * 512 for path in self._files() if (found := _plain(path)))

    def _received(self) -> Iterator[Received]:
        for path in self._files():
            segment = parse_segment(path.name.removesuffix(_PARTIAL))
            # A file that is just being made has no full length.
            if segment is not None and (found := _plain(path)) and found.st_size == SEGMENT_SIZE:
                yield Received(segment, path, not path.name.endswith(_PARTIAL))

    def _files(self) -> list[Path]:
        return sorted(path for folder in _in(self.folder) if _STRETCH.fullmatch(folder.name) for path in _in(folder))


@dataclass(frozen=True)
class Wal:
    """What recovery finds in archive and tail: whole segments, how far partial ones go, branches by timeline."""

    segments: frozenset[Segment]
    ends: Mapping[Segment, Lsn]
    histories: Mapping[int, Sequence[Branch]]


def reachable(archive: _Archive, tail: Tail | None) -> Wal:
    """What there is of one cluster. Raises ValueError where a history in the archive is damaged."""
    # The tail first: what leaves it meanwhile is in the archive.
    received, known = (tail.longest(), tail.histories()) if tail else ({}, {})
    segments = archive.segments() | {segment for segment, each in received.items() if each.whole}
    ends = {segment: each.end for segment, each in received.items() if segment not in segments}
    return Wal(segments, ends, {**known, **archive.histories()})


def _in(folder: Path) -> list[Path]:
    """What is in a folder, which may just be removed."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _known(name: str) -> bool:
    return parse_segment(name.removesuffix(_PARTIAL)) is not None or history_of(name.removesuffix(".tmp")) is not None


def _plain(path: Path) -> os.stat_result | None:
    """What is known of an ordinary file; None for anything else, and for what was just removed."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None
