"""How a table is broken where it is wider than the terminal: pure, in characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stackctl.operations.result import Table

GAP = 2
# Prose in fewer columns than this is read faster on lines of its own.
LEAST_PROSE = 30
_MOST_BROKEN = 20
# After a space, a comma, or a hyphen between letters: nowhere else may a name or a value be broken.
_PIECES = re.compile(r"(?<=[ ,])|(?<=\w-)(?=\w)")


@dataclass(frozen=True)
class Part:
    """Columns that stand side by side, with their widths; `below` is the column under each row, None for none."""

    columns: Sequence[int]
    widths: Sequence[int]
    below: int | None = None


def stacked_columns(tables: Iterable[Table], width: int) -> frozenset[tuple[str, ...]]:
    """The headings of those tables whose prose goes below: all with the same headings look the same."""
    return frozenset(tuple(table.columns) for table in tables if _prose(table) and _too_narrow(table, width))


def parts(table: Table, width: int, *, stacked: bool) -> list[Part]:
    """The table in parts that fit `width`."""
    natural, every = _natural(table), range(len(table.columns))
    if stacked:
        beside = [*every][:-1]
        return [Part(beside, _shrunk(beside, natural, width), every[-1])]
    if _total(natural) <= width:
        return [Part(every, natural)]
    if _prose(table):
        return [Part(every, [*natural[:-1], width - _total([*natural[:-1], 0])])]
    narrow = [_narrowest(table, column) for column in every]
    return [Part(group, _shrunk(group, natural, width, narrow)) for group in _groups(table, narrow, width)]


def broken(text: str, width: int) -> str:
    """`text` in lines of at most `width`, between its pieces where it has any."""
    lines = [""]
    for piece in _PIECES.split(text):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _groups(table: Table, widths: Sequence[int], width: int) -> list[list[int]]:
    """Columns that fit beside the keys, in as few groups as it takes, about equally many in each."""
    keys, rest = [*range(table.keys)], [*range(table.keys, len(widths))]
    for size in range(len(rest), 1, -1):
        groups = [[*keys, *rest[begin : begin + size]] for begin in range(0, len(rest), size)]
        if all(_fits(group, widths, width) for group in groups):
            even = -(-len(rest) // len(groups))
            fair = [[*keys, *rest[begin : begin + even]] for begin in range(0, len(rest), even)]
            return fair if all(_fits(group, widths, width) for group in fair) else groups
    return [[*keys, column] for column in rest] or [keys]


def _fits(columns: Sequence[int], widths: Sequence[int], width: int) -> bool:
    return _total([widths[i] for i in columns]) <= width


def _shrunk(columns: Sequence[int], widths: Sequence[int], width: int, least: Sequence[int] = ()) -> list[int]:
    """The columns' widths, the widest ones narrowed until all fit: below `least` only where nothing else helps."""
    out = [widths[i] for i in columns]
    floors = [least[i] if least else 1 for i in columns]
    while _total(out) > width and max(out) > 1:
        loose = [i for i, wide in enumerate(out) if wide > floors[i]] or range(len(out))
        out[max(loose, key=lambda i: out[i])] -= 1
    return out


def _prose(table: Table) -> bool:
    return len(table.columns) > 2 and table.keys == 1 and _natural(table)[-1] > LEAST_PROSE


def _too_narrow(table: Table, width: int) -> bool:
    natural = _natural(table)
    return _total(natural) > width and width - _total([*natural[:-1], 0]) < LEAST_PROSE


def _natural(table: Table) -> list[int]:
    return [max(len(cell) for cell in cells) for cells in _cells(table)]


def _narrowest(table: Table, column: int) -> int:
    """Width of a column whose heading and whose long values are broken between their pieces."""
    cells = [row[column] for row in table.rows]
    widest, piece = max(map(len, cells), default=0), max(map(_longest_piece, cells), default=0)
    return max(min(widest, max(_MOST_BROKEN, piece)), _longest_piece(table.columns[column]))


def _longest_piece(text: str) -> int:
    return max(len(piece.rstrip()) for piece in _PIECES.split(text))


def _cells(table: Table) -> Iterable[Sequence[str]]:
    return ([name, *(row[i] for row in table.rows)] for i, name in enumerate(table.columns))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
