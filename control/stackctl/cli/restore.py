"""The command `restore`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.session import session
from stackctl.errors import UsageError
from stackctl.operations.result import Result

if TYPE_CHECKING:
    from stackctl.operations.restoring.in_place import How


def restore(
    to: Annotated[str, typer.Option(metavar="TARGET", help="latest, a time with its zone, lsn:X, name:X.")] = "latest",
    backup: Annotated[str | None, typer.Option(metavar="ID", help="Begin with this backup.")] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Make this folder a data directory; touch nothing else.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; a script needs it for --undo and --accept.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the data before the last restore.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Keep the restored copy for good.")] = False,
    timeline: Annotated[int | None, typer.Option(metavar="N", help="A history that was left.", min=1)] = None,
    cluster: Annotated[str | None, typer.Option(metavar="SYSTEM", help="Backups of this cluster.")] = None,
    table: Annotated[str | None, typer.Option(metavar="[SCHEMA.]NAME", help="Only this table of a dump.")] = None,
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="Only this schema of a dump.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until all is healthy.", min=1)] = 300,
) -> None:
    """Restore the stack to an earlier moment, or a backup into a folder; undo or accept a restore."""
    chosen = to != "latest" or any(each is not None for each in (backup, timeline, cluster))
    part = table is not None or schema is not None
    _refuse_together(undo=undo, accept=accept, rest=chosen or dry_run or part or into is not None)
    if part or (backup or "").endswith("-logical"):
        if into is None or dry_run:
            raise UsageError("a dump is restored with --into DIR", hint="the folder becomes the data directory")
        session.finish(_dump(into, to, backup, table, schema))
        return
    if into is not None:
        if timeline or cluster:
            raise UsageError("--into goes with --to, --backup and --dry-run alone", hint="leave the others out")
        session.finish(_into(to, backup, into, dry_run=dry_run))
        return
    from stackctl.operations.restoring.decide import accept_command, undo_command
    from stackctl.operations.restoring.in_place import in_place_command
    from stackctl.operations.restoring.plan import Asked

    request, how = session.request(), _how(timeout, yes=yes, deletes=undo or accept)
    if undo or accept:
        session.finish((undo_command if undo else accept_command)(request, how))
        return
    session.finish(in_place_command(request, how, Asked(to, backup, timeline, cluster), dry_run=dry_run))


def _refuse_together(*, undo: bool, accept: bool, rest: bool) -> None:
    if undo and accept:
        raise UsageError("--undo and --accept contradict each other", hint="leave one of them out")
    if (undo or accept) and rest:
        raise UsageError("--undo and --accept decide about the last restore", hint="leave the other options out")


def _into(to: str, backup: str | None, into: Path, *, dry_run: bool) -> Result:
    from stackctl.operations.restore import Wanted, restore_command

    wanted = Wanted(to, backup, into)
    return restore_command(session.request(), session.runner(), session.output.note, wanted, dry_run=dry_run)


def _dump(into: Path, to: str, backup: str | None, table: str | None, schema: str | None) -> Result:
    """Restore a dump, or a part of it."""
    from stackctl.backup.dump import Part
    from stackctl.operations.backups.dump import Wanted, restore_dump_command

    if backup is None:
        raise UsageError("--table and --schema need --backup with the id of a dump", hint="stackctl backup list")
    if to != "latest":
        raise UsageError("a dump has one state, so that --to has no meaning", hint="leave --to out")
    if table and schema:
        raise UsageError("--table and --schema contradict", hint="write --table SCHEMA.NAME")
    before, _, name = (table or "").rpartition(".")
    wanted = Wanted(backup, into, Part(before or schema or None, name or None))
    return restore_dump_command(session.request(), session.runner(), session.output.note, wanted)


def _how(timeout: float, *, yes: bool, deletes: bool) -> How:
    from stackctl.operations.restoring.in_place import How

    def agreed(lines: Sequence[str]) -> bool:
        for line in lines:
            session.output.remark(line)
        if yes or sys.stdin.isatty():
            return yes or typer.confirm("Go on?", err=True)
        # Whoever runs a restore from a script has asked for it, and it can be undone; what is deleted cannot.
        return not deletes

    return How(session.runner(), session.output.note, agreed, timeout)
