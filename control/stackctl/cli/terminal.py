"""Blocks on a terminal, with rich."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from stackctl.operations.result import Block, Line, Table

_STATES = {
    "ok": "green",
    "healthy": "green",
    "running": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unhealthy": "bold red",
}


def show(blocks: Sequence[Block], styles: Mapping[str, str]) -> None:
    """Print blocks in colour, tables as wide as the terminal."""
    console = Console(highlight=False)
    for block in blocks:
        if isinstance(block, Line):
            console.print(Text(block.text, style=styles[block.style]))
        else:
            console.print(_table(block))


def _table(table: Table) -> RichTable:
    shown = RichTable(title=table.title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    last = len(table.columns) - 1
    for index, column in enumerate(table.columns):
        shown.add_column(column, overflow="fold", no_wrap=index == 0, ratio=1 if index == last else None)
    for row in table.rows:
        shown.add_row(*(Text(cell, style=_STATES.get(cell, "")) for cell in row))
    return shown
