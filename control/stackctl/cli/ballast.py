"""The commands below `ballast`."""

from __future__ import annotations

import typer

from stackctl.cli.session import session

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Room held back on the disk.",
)


@app.command()
def status() -> None:
    """Show what is held back on the disk of the data, and what is free."""
    from stackctl.operations.ballast import status_command

    session.finish(status_command(session.request(), session.runner()))


@app.command()
def free() -> None:
    """Give the room back, so that PostgreSQL can start on a full disk; `up` holds it back again."""
    from stackctl.operations.ballast import free_command

    session.finish(free_command(session.request(), session.runner()))
