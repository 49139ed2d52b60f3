"""Look into a restored server before the stack runs on it: its catalogue, the rows of the app, the structure of all."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.backup import drill
from stackctl.backup.drill import Check
from stackctl.backup.inspection import hindered
from stackctl.engine.base import Throwaway
from stackctl.errors import Damaged, EngineFailed, Unhealthy

# What kept us from looking is no verdict on the copy.
UNPROVED = "copy_unproved"

_DATABASES = "SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY 1"
_HAS = "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'"
_CAN = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"


@dataclass(frozen=True)
class Proof:
    """What was found to be sound: tables of the app and their rows, and whether amcheck read everything."""

    tables: int
    rows: int
    amcheck: bool


def prove(server: Throwaway) -> Proof:
    """Read what there is.

    Raises Damaged with PostgreSQL's own words, EngineFailed where something kept it from looking: that says nothing of
    the backup.
    """
    counted, rows = drill.tables(server)
    for check in (drill.catalogue(server), counted):
        if not check.ok:
            raise _verdict(check)
    try:
        checked = bool(server.query(_CAN))
        if checked:
            _amcheck(server)
    except Unhealthy as error:
        raise _verdict(Check("amcheck", False, str(error), hindered(str(error)))) from error
    return Proof(len(rows), sum(rows.values()), checked)


def _amcheck(server: Throwaway) -> None:
    """The extension is there for the check only, but where it was before."""
    names = [row["name"] for row in server.query(_DATABASES)]
    without = [name for name in names if not server.query(_HAS, name)]
    check = drill.structure(server, "--jobs=2")
    if not check.ok:
        raise _verdict(check)
    for name in without:
        server.run("psql", "-X", "-q", "-d", name, "-c", "DROP EXTENSION IF EXISTS amcheck")


def _verdict(check: Check) -> Damaged | EngineFailed:
    if check.hindered:
        return EngineFailed(
            f"the restored copy was not looked at: {check.name}: {check.evidence}",
            hint="this says nothing of the backup: mend what it names, and restore again",
            code=UNPROVED,
        )
    return Damaged(
        f"the restored copy is damaged: {check.evidence}",
        hint="restore another backup with --backup, or an earlier moment",
    )
