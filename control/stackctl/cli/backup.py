"""The commands below `backup`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from stackctl.cli.session import session
from stackctl.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None, help="Take, list, verify and keep backups.")
Identifier = Annotated[str, typer.Argument(metavar="ID", help="As `backup list` shows it.")]


@app.callback(invoke_without_command=True)
def take(
    context: typer.Context,
    logical: Annotated[bool, typer.Option("--logical", help="A dump by pg_dump instead of all files.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Copy all files, which is the default.")] = False,
    incremental: Annotated[bool, typer.Option("--incremental", help="Copy what changed since the last one.")] = False,
    or_full: Annotated[bool, typer.Option("--or-full", help="Full where there is nothing to build on.")] = False,
    adopt: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Take the place of this cluster, which is no more.")
    ] = None,
) -> None:
    """Take a backup of the running database now, and verify it."""
    if context.invoked_subcommand is not None:
        return
    if (logical and (full or incremental)) or (full and incremental):
        raise UsageError("--full, --incremental and --logical contradict each other", hint="leave all but one out")
    if logical and adopt is not None:
        raise UsageError("--adopt is for backups of all files", hint="leave out --logical")
    if or_full and not incremental:
        raise UsageError("--or-full belongs to --incremental", hint="stackctl backup is a full one")
    if logical:
        from stackctl.operations.backups.dump import dump_command

        session.finish(dump_command(session.request(), session.runner(), session.output.note))
        return
    from stackctl.operations.backup import take_command

    request, runner, note = session.request(), session.runner(), session.output.note
    session.finish(take_command(request, runner, note, incremental=incremental, or_full=or_full, adopt=adopt))


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


@app.command()
def expire(
    apply: Annotated[bool, typer.Option("--apply", help="Delete; without it, only show.")] = False,
    cluster: Annotated[str | None, typer.Option(metavar="SYSTEM", help="Those of this cluster, not its own.")] = None,
) -> None:
    """Show which backups and which WAL the policy lets go, and why the others stay; delete them with --apply."""
    from stackctl.operations.backups.expire import expire_command

    request, runner, note = session.request(), session.runner(), session.output.note
    session.finish(expire_command(request, runner, note, apply=apply, cluster=cluster))


@app.command()
def keep(
    identifier: Identifier,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why it stays, whatever the policy says.")] = None,
    release: Annotated[bool, typer.Option("--release", help="Let the policy decide again.")] = False,
) -> None:
    """Keep a backup for a reason, or release it."""
    from stackctl.operations.backups.expire import keep_command

    if (reason is not None) == release:
        raise UsageError("keep needs --reason TEXT, or --release", hint="stackctl backup keep ID --reason 'audit'")
    session.finish(keep_command(session.request(), session.runner(), session.output.note, identifier, reason))


@app.command()
def status() -> None:
    """Show age, sizes, last verification, last drill, and what to do next."""
    from stackctl.operations.backups.status import status_command

    session.finish(status_command(session.request(), session.runner()))


@app.command()
def drill(
    identifier: Annotated[str | None, typer.Argument(metavar="ID", help="The newest good one without it.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="SYSTEM", help="The newest of this cluster.")] = None,
) -> None:
    """Restore a backup for a trial and check it in depth; exit code 41 where it fails."""
    from stackctl.operations.backups.drill import drill_command

    if identifier and cluster:
        raise UsageError("an ID says of which cluster it is", hint="leave --cluster out")
    session.finish(drill_command(session.request(), session.runner(), session.output.note, identifier, cluster))


@app.command()
def schedule(
    systemd: Annotated[bool, typer.Option("--systemd", help="Print the units that run it.")] = False,
    crontab: Annotated[bool, typer.Option("--crontab", help="Print the lines of a crontab that run it.")] = False,
    run: Annotated[bool, typer.Option("--run", help="Run it, without end, as the stack's scheduler does.")] = False,
) -> None:
    """Show what backup.schedule in stackctl.yaml asks for, what is late, and what runs it."""
    from stackctl.operations.backups import schedule as operation

    if systemd + crontab + run > 1:
        raise UsageError("--systemd, --crontab and --run contradict each other", hint="leave all but one out")
    if run and session.output.as_json:
        raise UsageError("--json and --run contradict: a document has an end", hint="leave one of them out")
    if run:
        from stackctl.operations.scheduling.service import run_command

        session.finish(run_command(session.request(), session.runner(), _say))
    show_it = operation.systemd_command if systemd else operation.schedule_command
    session.finish((operation.crontab_command if crontab else show_it)(session.request(), session.runner()))


def _say(text: str) -> None:
    """A line of a log: it is there at once, before what a job writes."""
    session.output.line(text)
    sys.stdout.flush()
