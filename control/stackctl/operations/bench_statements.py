"""`stackctl bench --from-statements`: what a running stack was asked most, and a copy of the rows it was asked of."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.bench.instance import CLIENT, Instance
from stackctl.bench.replay import Seen
from stackctl.bench.statements import replayed
from stackctl.bench.workloads import Workload
from stackctl.engine.base import Engine, Note
from stackctl.errors import Problem, ProfileError
from stackctl.units import Bytes

_DATABASE = "app"
_HOURS = 6 * 3600.0
_MOST = 10
_WRITE_IT = "--script takes what you write yourself"
# Those that only read, by their first word and by what locks rows; the server refuses one that writes all the same.
_TOP = rf"""
SELECT s.query, sum(s.calls)::bigint AS calls
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
WHERE d.datname = current_database() AND r.rolname IN ('app', 'report') AND s.toplevel
  AND s.query ~* '^\s*(SELECT|WITH|VALUES|TABLE)\M' AND s.query !~* '\mFOR\s+(NO\s+KEY\s+)?(UPDATE|KEY\s+SHARE|SHARE)\M'
  AND s.query ~* '\mFROM\M'
GROUP BY s.query HAVING sum(s.calls) > 0 ORDER BY sum(s.total_exec_time) DESC LIMIT {_MOST}
"""  # noqa: S608 - a number


@dataclass(frozen=True)
class Statements:
    """What the app asked, and the dump of the database that it asked."""

    seen: tuple[Seen, ...]
    dump: Path

    def asked(self, workload: Workload, instance: Instance) -> tuple[Workload, list[Problem]]:
        """`workload` with the statements, their values out of `instance`, and which others are not, or hardly, asked.

        Raises ProfileError where none can.
        """
        found = replayed(self.seen, instance)
        reasons = [
            Problem("statement_left_out", f"{_short(text)}: {reason}", _WRITE_IT)
            for text, reason in found.left_out.items()
        ]
        if not found.statements:
            said = "; ".join(each.message for each in reasons)
            raise ProfileError(f"none of the statements can be asked again: {said}", hint="--script FILE")
        seldom = [
            Problem("statement_rare", f"{_short(text)}: one of {calls} calls, which a run may never come to", _WRITE_IT)
            for text, calls in found.rare.items()
        ]
        about = f"{found.statements} of your statements, on a copy of your rows"
        return replace(workload, script=found.script, about=about, role=CLIENT), [*reasons, *seldom]


@dataclass(frozen=True)
class Source:
    """A running stack, and what it was asked."""

    engine: Engine
    seen: tuple[Seen, ...]

    def size(self) -> Bytes:
        """Bytes of the database that was asked."""
        (row,) = self.engine.query("SELECT pg_database_size(current_database()) AS bytes", _DATABASE)
        return Bytes(row["bytes"])

    def copied(self, folder: Path, note: Note) -> Statements:
        """The statements with a dump of the app's database, in a folder that throwaway servers see too."""
        dump = folder / f"{_DATABASE}-{secrets.token_hex(4)}.dump"
        note("copying your rows, by pg_dump")
        with self.engine.programs() as programs:
            words = ("--format", "custom", "--compress", "1", "--file", str(dump), _DATABASE)
            programs.run("pg_dump", *programs.login(), *words, folders=[folder], timeout=_HOURS)
        return Statements(self.seen, dump)


def source_of(engine: Engine) -> Source:
    """The ten statements that only read and took most of the time. Raises ProfileError for none, Unhealthy."""
    found = tuple(Seen(row["query"], row["calls"]) for row in engine.query(_TOP, _DATABASE))
    if not found:
        raise ProfileError(
            "pg_stat_statements has no reading statement of the app",
            hint="let the app work for a while; or --script FILE",
        )
    return Source(engine, found)


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else f"{words[:77]}..."
