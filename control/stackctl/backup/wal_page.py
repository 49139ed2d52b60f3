"""The heads of WAL pages, which no checksum covers: src/include/access/xlog_internal.h. Pure."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence

from stackctl.backup.wal_name import SEGMENT_SIZE, Segment

PAGE = 8192
HEAD = 24
# The first page of a segment has the cluster too.
LONG_HEAD = 40
_SHORT, _LONG = struct.Struct("<HHIQI"), struct.Struct("<QII")
_LONG_MARK, _MARKS = 0x2, 0xF


def magic(segments: Sequence[bytes]) -> int:
    """The number of the format, which differs between major versions: that of most pages, 0 where there is none."""
    heads = (each[at : at + 2] for each in segments for at in range(0, len(each), PAGE))
    found = Counter(int.from_bytes(head, "little") for head in heads)
    found.pop(0, None)
    return max(found, key=lambda number: found[number], default=0)


def bad_page(content: bytes, segment: Segment, system: str, number: int) -> int | None:
    """Offset of the first page whose head is not one of this segment; None where all are that were received."""
    end = len(content.rstrip(b"\0"))
    for at in range(0, end, PAGE):
        head = LONG_HEAD if at == 0 else HEAD
        # The last one may be there in part; what is behind a switch is zeros.
        if end - at < head or not content[at : at + PAGE].rstrip(b"\0"):
            continue
        mark, info, timeline, position, _ = _SHORT.unpack_from(content, at)
        right = (mark, position) == (number, segment.start.value + at) and 0 < timeline <= segment.timeline
        if not right or info & ~_MARKS or bool(info & _LONG_MARK) != (at == 0):
            return at
        if at == 0 and _LONG.unpack_from(content, HEAD) != (int(system), SEGMENT_SIZE, PAGE):
            return at
    return None


def carried_over(content: bytes) -> int:
    """Bytes at the beginning of a segment that belong to a record of the one before, without the heads of pages."""
    return int(_SHORT.unpack_from(content)[4])


def behind(start: int, length: int) -> int:
    """The first byte behind `length` bytes of records from `start` on, which go on behind the heads of pages."""
    room = PAGE - start % PAGE
    return start + length + -(-max(0, length - room) // (PAGE - HEAD)) * HEAD
