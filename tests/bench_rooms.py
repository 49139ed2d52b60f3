"""Rooms without servers: pgbench prints what it is told to, and all else works at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import EngineFailed
from stackctl.hardware.usage import Usage
from stackctl.units import Bytes

PRINTED = """number of transactions actually processed: {done}
number of failed transactions: {failed} (0.005%)
tps = {rate} (without initial connection time)
"""
# As a client says it, and pgbench in the end.
DIED = """pgbench: error: client 3 aborted in command 5 (SQL) of script 0; perhaps the backend died while processing
pgbench: error: Run was aborted; the above results are incomplete.
"""
COUNTED = {"wal_bytes": 5000.0, "temp_bytes": 800.0, "checkpoints_timed": 1.0, "checkpoints_forced": 2.0}
COUNTED |= {"updates": 90.0, "hot_updates": 40.0, "vacuums": 3.0, "database_bytes": 9000.0, "began": 100.0}
PLAN = json.dumps([{"Plan": {"Node Type": "Result"}}])


def printed(rate: float = 100, done: int = 500, failed: int = 0) -> Completed:
    """A run that ended well."""
    return ended(0, PRINTED.format(rate=rate, done=done, failed=failed))


def ended(returncode: int, output: str = "", errors: str = "") -> Completed:
    """A program that ended."""
    return Completed((), returncode, output, errors)


@dataclass
class Room:
    """The place of a server that takes no connection the next `away` times.

    It does not start where it is to log `unstarted` then.
    """

    name: str
    home: Path
    counted: dict[str, float] = field(default_factory=lambda: dict(COUNTED))
    lines: list[str] = field(default_factory=list)
    away: int = 0
    kills: int | None = None
    unstarted: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket(self) -> Path:
        return self.home

    def run(
        self, program: str, *words: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> Completed:
        if program == "pg_ctl" and "start" in words:
            self.lines += self.unstarted
            if self.unstarted:
                raise EngineFailed("pg_ctl: could not start server", hint="look at its log")
        if program != "psql":
            return ended(0)
        if self.away:
            self.away -= 1
            return ended(2)
        asked = " ".join([*words, input or ""])
        return ended(0, PLAN if "EXPLAIN" in asked else json.dumps([self.counted]))

    def kill(self) -> None:
        """It comes back by `run`."""

    def usage(self) -> Usage:
        return Usage(1, Bytes(1), oom_kills=self.kills)

    def log(self) -> str:
        return "\n".join(self.lines)


def _well(_room: Room, _script: str) -> Completed:
    return printed()


@dataclass
class Rooms:
    """`pgbench` is asked what a run of a script in a room prints."""

    scratch: Path
    pgbench: Callable[[Room, str], Completed] = _well
    limited: str = "no limits"
    runner: Runner = field(default_factory=Runner)

    def room(self, name: str, _limits: Limits) -> Room:
        return Room(name, self.scratch)

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)

    def leave(self, room: Any) -> None:
        """Nothing is left."""

    def client(self, room: Room, _program: str, *words: str, timeout: float) -> Completed:
        return self.pgbench(room, Path(words[words.index("-f") + 1]).read_text())
