"""Look into a restored server before the stack runs on it: its catalogue, the rows of the app, the structure of all."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.backup import drill
from stackctl.engine.base import Throwaway
from stackctl.errors import Damaged

_DATABASES = "SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY 1"
_HAS = "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'"
_CAN = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"
_HOURS = 3600.0


@dataclass(frozen=True)
class Proof:
    """What was found to be sound: tables of the app and their rows, and whether amcheck read everything."""

    tables: int
    rows: int
    amcheck: bool


def prove(server: Throwaway) -> Proof:
    """Read what there is. Raises Damaged with PostgreSQL's own words."""
    counted, rows = drill.tables(server)
    for check in (drill.catalogue(server), counted):
        if not check.ok:
            raise _damaged(check.evidence)
    checked = bool(server.query(_CAN))
    if checked:
        _amcheck(server)
    return Proof(len(rows), sum(rows.values()), checked)


def _amcheck(server: Throwaway) -> None:
    """The extension is there for the check only, but where it was before."""
    names = [row["name"] for row in server.query(_DATABASES)]
    without = [name for name in names if not server.query(_HAS, name)]
    done = server.run("pg_amcheck", "--all", "--install-missing", "--jobs=2", check=False, timeout=24 * _HOURS)
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
        raise _damaged("; ".join(lines[:2]) or "pg_amcheck gave no word")
    for name in without:
        server.run("psql", "-X", "-q", "-d", name, "-c", "DROP EXTENSION IF EXISTS amcheck")


def _damaged(reason: str) -> Damaged:
    return Damaged(
        f"the restored copy is damaged: {reason}", hint="restore another backup with --backup, or an earlier moment"
    )
