"""Runs pgBackRest: beside the running server, or alone in a container of its image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.backup.pgbackrest.faults import explained
from stackctl.backup.protocol import AWAY
from stackctl.engine.base import Engine, Programs
from stackctl.engine.runner import Completed
from stackctl.errors import EngineFailed, StackError, TimedOut
from stackctl.render.pgbackrest import words

_HOURS = 3600.0
# A store that is dead, or takes connections and says nothing, is given up after nine times as long, 45 seconds; with a
# minute it would take nine. One that answers may take as long as it takes: that a list of many thousand files is
# long is no reason not to have it.
PATIENCE = "--io-timeout=5"
# What is to be short, and holds the lock of `up`, may take six times as long as a dead store.
_SHORT = 300.0


@dataclass(frozen=True)
class Tool:
    """pgBackRest for one stanza; `where` names the repository to people, `folder` is its place on this machine."""

    engine: Engine
    stanza: str
    where: str
    folder: Path | None = None

    def beside(self, command: str, *options: str, quick: bool = False) -> str:
        """Run a command that needs the running server; what it printed. Raises StackError that says why not.

        One that does little, a `quick` one, gives up where the store does not answer.
        """
        given = self._words(*([PATIENCE] if quick else []), *options, command)
        try:
            return self._said(self.engine.beside(given, timeout=_SHORT if quick else 24 * _HOURS))
        except TimedOut as error:
            raise self._slow(command, _SHORT if quick else 24 * _HOURS) from error

    def look(self) -> str:
        """What pgBackRest says of the repository and of the backup that is being taken, from where that is done."""
        given = self._words(PATIENCE, "--output=json", "info")
        return self._said(self.engine.beside(given, timeout=_SHORT, looking=True))

    def ask(self, command: str, *rest: str) -> str:
        """Run a command that reads little, whether or not the server runs; what it printed."""
        with self.programs() as programs:
            return self._said(self.tried(programs, command, *rest, asking=True))

    def work(self, programs: Programs, command: str, *rest: str, folders: Sequence[Path] = ()) -> str:
        """Run a command that reads much; what it printed."""
        return self._said(self.tried(programs, command, *rest, folders=folders))

    def tried(
        self,
        programs: Programs,
        command: str,
        *rest: str,
        folders: Sequence[Path] = (),
        asking: bool = False,
    ) -> Completed:
        """Run a command alone, whatever its exit status; where it is `asking`, it changes nothing."""
        program, *given = self._words(*([PATIENCE] if asking else []), command, *rest)
        try:
            return programs.run(program, *given, folders=folders, check=False, timeout=24 * _HOURS, quiet=asking)
        except TimedOut as error:
            raise self._slow(command, 24 * _HOURS) from error

    @contextmanager
    def programs(self) -> Iterator[Programs]:
        """The programs of the database, with the repository in reach."""
        with self.engine.programs() as programs:
            yield programs.with_repository()

    def _slow(self, command: str, seconds: float) -> StackError:
        """The error for one that did not come to its end: a store that cannot be reached says so by itself."""
        return EngineFailed(
            f"{self.where}: pgbackrest {command} took more than {seconds:.0f} s",
            hint="the store or this machine is slow; run it again when less is going on",
            code=AWAY,
        )

    def _words(self, *rest: str) -> list[str]:
        return [*words(self.stanza), *rest]

    def refused(self, done: Completed) -> StackError:
        """The error for a run that ended badly."""
        return explained(f"{done.stdout}\n{done.stderr}", self.where)

    def _said(self, done: Completed) -> str:
        if done.returncode != 0:
            raise self.refused(done)
        return done.stdout
