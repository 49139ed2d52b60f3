"""The commands below `backup`."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.session import session
from stackctl.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Take a backup now; list, show, verify them.")
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `backup list` shows it.")]


@app.callback(invoke_without_command=True)
def take(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Copy all files; so it is without a word.")] = False,
    incremental: Annotated[bool, typer.Option("--incremental", help="Copy what changed since the last one.")] = False,
) -> None:
    """Take a backup of the running database now, and verify it."""
    if context.invoked_subcommand is not None:
        return
    if full and incremental:
        raise UsageError("--full and --incremental contradict each other", hint="leave one of them out")
    from stackctl.operations.backup import take_command

    request, runner, note = session.request(), session.runner(), session.output.note
    session.finish(take_command(request, runner, note, incremental=incremental))


@app.command(name="list")
def list_backups() -> None:
    """List all backups, oldest first."""
    from stackctl.operations.backup import list_command

    session.finish(list_command(session.request(), session.runner()))


@app.command()
def show(identifier: Identifier) -> None:
    """Show everything that is known of one backup."""
    from stackctl.operations.backup import show_command

    session.finish(show_command(session.request(), session.runner(), identifier))


@app.command()
def verify(identifier: Annotated[str | None, typer.Argument(metavar="ID", help="All without it.")] = None) -> None:
    """Read every byte of one backup, or of everything; exit code 41 where one is not as it was written."""
    from stackctl.operations.backup import verify_command

    session.finish(verify_command(session.request(), session.runner(), identifier, session.output.note))
