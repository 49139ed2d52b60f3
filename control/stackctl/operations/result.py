"""What an operation gives back: data for scripts, blocks for people, and the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stackctl.errors import Problem

# The shell's number for SIGINT.
INTERRUPTED = 130


@dataclass(frozen=True)
class Line:
    """A line of text. `style` is one of plain, title, good, bad, dim; verbatim is never broken by us."""

    text: str
    style: str = "plain"


@dataclass(frozen=True)
class Table:
    """Rows below column names. The first `keys` columns say what a row is about, wherever a table has to be broken."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    keys: int = 1


Block = Line | Table


@dataclass(frozen=True)
class Result:
    """`data` is what `--json` prints; `blocks` say the same for people."""

    data: Mapping[str, Any]
    blocks: Sequence[Block]
    warnings: Sequence[Problem] = ()
    errors: Sequence[Problem] = ()
    exit_code: int = 0


@dataclass(frozen=True)
class Request:
    """What the command line asked for, in the words of the flags."""

    project: str
    flags: Mapping[str, str | None] = field(default_factory=dict)
    sets: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
