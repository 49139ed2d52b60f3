"""The commands below `backup`."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.session import session

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Take a backup now; list, show, verify them.")
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `backup list` shows it.")]


@app.callback(invoke_without_command=True)
def take(context: typer.Context) -> None:
    """Take a backup of the running database now, and verify it."""
    if context.invoked_subcommand is not None:
        return
    from stackctl.operations.backup import take_command

    session.finish(take_command(session.request(), session.runner(), session.output.note))


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
