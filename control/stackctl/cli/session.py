"""What the global options said, for the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from stackctl.cli.output import Output, mute
from stackctl.operations.result import Request, Result

if TYPE_CHECKING:
    from stackctl.engine.runner import Runner


@dataclass
class Session:
    """One run of the command line."""

    project: str = "."
    command: str = ""
    output: Output = field(default_factory=Output)
    began: bool = False
    finished: bool = False

    def request(self, flags: Mapping[str, str | None] | None = None, sets: Sequence[str] = ()) -> Request:
        """What an operation is asked."""
        self.began = True
        return Request(self.project, flags or {}, sets, dict(os.environ))

    def runner(self) -> Runner:
        """Runs commands and echoes them."""
        from stackctl.engine.runner import Runner

        return Runner(self.output.echo)

    def finish(self, result: Result) -> None:
        """Print a result and end with its exit code, also where nobody reads it: the operation is over."""
        self.finished = True
        try:
            self.output.result(self.command, result)
            sys.stdout.flush()
        except BrokenPipeError:
            mute(sys.stdout)
        if result.exit_code:
            raise typer.Exit(result.exit_code)


session = Session()
