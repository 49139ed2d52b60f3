"""Blocks on a terminal, with rich."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from stackctl.cli.layout import Part, broken, parts, stacked_columns
from stackctl.operations.result import Block, Line, Table

_STATES = {
    "ok": "green",
    "healthy": "green",
    "running": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unhealthy": "bold red",
}
_INDENT = 4


def show(blocks: Sequence[Block], styles: Mapping[str, str], *, color: bool) -> None:
    """Print blocks, tables no wider than the terminal; without `color`, no escape sequence at all."""
    console = Console(highlight=False, color_system="auto" if color else None)
    width = console.width
    stacked = stacked_columns((block for block in blocks if isinstance(block, Table)), width)
    for block in blocks:
        if isinstance(block, Line):
            console.print(Text(block.text, style=styles[block.style]), soft_wrap=block.style == "verbatim")
            continue
        for number, part in enumerate(parts(block, width, stacked=tuple(block.columns) in stacked)):
            console.print()
            if block.title and not number:
                console.print(Text(block.title, style="italic"))
            for shown in _stacked(block, part) if part.below is not None else [_beside(block, part)]:
                console.print(shown)


def _beside(table: Table, part: Part) -> RenderableType:
    shown = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column, width in zip(part.columns, part.widths, strict=True):
        shown.add_column(broken(table.columns[column], width), width=width, overflow="fold")
    for row in table.rows:
        shown.add_row(*(_cell(row[column], width) for column, width in zip(part.columns, part.widths, strict=True)))
    return shown


def _stacked(table: Table, part: Part) -> Iterator[RenderableType]:
    """Rows with their last column below them; blocks without a rule, since every row is a head of its own."""
    heads = [table.columns[column] for column in part.columns]
    yield Text(_padded(heads, part.widths), style="bold")
    for row in table.rows:
        yield _row([row[column] for column in part.columns], part.widths)
        if part.below is not None and row[part.below]:
            yield Padding(Text(row[part.below], style="dim"), (0, 0, 0, _INDENT))


def _row(cells: Sequence[str], widths: Sequence[int]) -> RenderableType:
    shown = RichTable(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for width in widths:
        shown.add_column(width=width, overflow="fold")
    shown.add_row(*(_cell(cell, width) for cell, width in zip(cells, widths, strict=True)))
    return shown


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(text: str, width: int) -> Text:
    unset = text.startswith("(") and text.endswith(")")
    return Text(broken(text, width), style=_STATES.get(text, "dim" if unset else ""))
