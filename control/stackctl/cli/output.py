"""Print a result: JSON for scripts, tables for people; rich on a terminal, plain columns elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from stackctl.errors import Problem
from stackctl.operations.result import Block, Line, Result, Table

SCHEMA = "stackctl/v1"
_STYLES = {"title": "bold", "good": "green", "bad": "bold red", "dim": "dim", "plain": "", "verbatim": ""}


class Output:
    """Where a command's words go: its result to stdout, notes and progress to stderr."""

    def __init__(
        self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, color: bool = True
    ) -> None:
        self.as_json = as_json
        self._quiet = quiet
        self.verbose = verbose
        self._color = color and "NO_COLOR" not in os.environ
        self._began = time.monotonic()

    def note(self, text: str) -> None:
        """One step of progress, with the seconds since the start."""
        if not self._quiet:
            self._error(f"{time.monotonic() - self._began:6.1f}s  {text}")

    def remark(self, text: str) -> None:
        """Something to know beside a result that is copied or piped as it is."""
        if not self._quiet:
            self._error(text)

    def echo(self, command: str) -> None:
        """A command line that is about to run, for pasting."""
        if self.verbose or not self._quiet:
            self._error(f"  $ {command}")

    def line(self, text: str) -> None:
        """One line of a result that comes line by line."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def result(self, command: str, result: Result) -> None:
        """Print what an operation gave."""
        if self.as_json:
            ok = result.exit_code in (0, 12)
            self._json(command, ok, result.data, result.warnings, result.errors)
            return
        for warning in result.warnings:
            self._error(_sentence("warning", warning))
        self._blocks(result.blocks)
        for error in result.errors:
            self._error(_sentence("error", error))

    def failure(self, command: str, problems: Sequence[Problem]) -> None:
        """Print why a command failed, one line for each problem."""
        if self.as_json:
            self._json(command, False, {}, (), problems)
            return
        for problem in problems:
            self._error(_sentence("error", problem))

    def _json(self, command: str, ok: bool, data: Any, warnings: Sequence[Problem], errors: Sequence[Problem]) -> None:
        document = {
            "schema": SCHEMA,
            "command": command,
            "ok": ok,
            "data": data,
            "warnings": [_record(warning) for warning in warnings],
            "errors": [_record(error) for error in errors],
        }
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def _blocks(self, blocks: Sequence[Block]) -> None:
        if sys.stdout.isatty():
            from stackctl.cli.terminal import show

            show(blocks, _STYLES, color=self._color)
            return
        for block in blocks:
            sys.stdout.write(block.text + "\n" if isinstance(block, Line) else plain_table(block))

    def _error(self, text: str) -> None:
        try:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except BrokenPipeError:
            # Whoever read the progress went away; what is being done must not end half way for that.
            mute(sys.stderr)


def mute(stream: TextIO) -> None:
    """Send what is still written to a stream without a reader nowhere, also what the interpreter flushes at its end."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, stream.fileno())
    os.close(descriptor)


def plain_table(table: Table) -> str:
    """Columns padded with spaces, for pipes and files: one line for each row, however long, as `grep` wants it."""
    rows = [list(table.columns), *[list(row) for row in table.rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = [f"\n{table.title}"] if table.title else [""]
    return "\n".join([*head, *lines]) + "\n"


def _sentence(kind: str, problem: Problem) -> str:
    return f"{kind}: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")


def _record(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}
