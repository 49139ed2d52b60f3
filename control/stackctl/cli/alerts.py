"""The commands below `alerts`."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.session import session

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, no_args_is_help=True, help="See what fires, and test who is told."
)


@app.command(name="list")
def list_alerts() -> None:
    """Show what fires now, the worst first, silenced and inhibited alerts too."""
    from stackctl.operations.alerting.firing import list_command

    session.finish(list_command(session.request(), session.runner()))


@app.command(name="test")
def send_test(
    receiver: Annotated[str | None, typer.Option(metavar="NAME", help="One receiver; all without it.")] = None,
) -> None:
    """Send one alert to each receiver, and say whether it was delivered; exit code 30 where it was not."""
    from stackctl.operations.alerting.trial import trial_command

    session.finish(trial_command(session.request(), session.runner(), session.output.note, receiver))
