"""The commands below `wal`."""

from __future__ import annotations

import typer

from stackctl.cli.session import session

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="See and verify the archived WAL."
)


@app.command()
def status() -> None:
    """Show how far the archive is behind, what waits, gaps, and how far recovery reaches."""
    from stackctl.operations.wal import status_command

    session.finish(status_command(session.request(), session.runner()))


@app.command()
def verify() -> None:
    """Read every archived byte; exit code 41 where one is not as it was archived, 43 where a file is missing."""
    from stackctl.operations.wal import verify_command

    session.finish(verify_command(session.request(), session.runner(), session.output.note))
