"""The commands: each parses its options, calls one operation and prints the result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stackctl.cli.bench import bench
from stackctl.cli.options import with_profile
from stackctl.cli.restore import restore
from stackctl.cli.session import session
from stackctl.errors import UsageError
from stackctl.operations.result import Result

Flags = dict[str, str | None]
Timeout = Annotated[float, typer.Option(help="Seconds to wait until all is healthy.", min=1)]


@with_profile
def init(flags: Flags, sets: list[str]) -> None:
    """Write a commented stackctl.yaml from flags and this host; never overwrites."""
    from stackctl.operations.init import init_command

    session.finish(init_command(session.request(flags, sets)))


@with_profile
def size(
    flags: Flags,
    sets: list[str],
    output: Annotated[
        str | None, typer.Option("--format", metavar="table", help="table, json, or conf for a postgresql.conf.")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(metavar="PEERS", help="Beside pgtune,timescaledb-tune,pigsty,stock,guide.")
    ] = None,
) -> None:
    """Print parameters, pools and the memory proof, with reasons; touches nothing."""
    from stackctl.operations.size import check_format, size_command

    check_format(output, as_json=session.output.as_json, comparing=compare is not None)
    if output == "conf":
        from stackctl.operations.conf import conf_text

        text, warnings = conf_text(session.request(flags, sets))
        session.output.line(text.rstrip("\n"))
        session.finish(Result({}, [], warnings))
        return
    session.finish(size_command(session.request(flags, sets), _peers(compare)))


def _peers(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    from stackctl.operations.compare import peers_named

    return peers_named(text)


@with_profile
def render(
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    flags: Flags,
    sets: list[str],
    target: Annotated[str, typer.Option(help="compose, or conf for any PostgreSQL.")] = "compose",
) -> None:
    """Write the files, and change nothing else."""
    from stackctl.operations.render import render_command

    session.finish(render_command(session.request(flags, sets), out, target))


@with_profile
def plan(flags: Flags, sets: list[str]) -> None:
    """Show what up would change on the running stack; exit code 12 where it would."""
    from stackctl.operations.plan import plan_command

    session.finish(plan_command(session.request(flags, sets), session.runner()))


@with_profile
def up(flags: Flags, sets: list[str], timeout: Timeout = 300) -> None:
    """Bring the stack up, wait until healthy, print the addresses; again, it changes nothing."""
    from stackctl.operations.up import up_command

    session.finish(up_command(session.request(flags, sets), session.runner(), session.output.note, timeout))


def down(
    destroy_data: Annotated[bool, typer.Option("--destroy-data", help="Remove the data too.")] = False,
    yes_destroy: Annotated[str | None, typer.Option(metavar="NAME", help="The project's name, as consent.")] = None,
) -> None:
    """Stop the stack; the data stays."""
    from stackctl.operations.down import down_command

    def confirmed(name: str) -> str | None:
        if yes_destroy is not None or not sys.stdin.isatty():
            return yes_destroy
        return str(typer.prompt(f"Type {name} to destroy its data", err=True))

    request, runner = session.request(), session.runner()
    session.finish(down_command(request, runner, session.output.note, destroy=destroy_data, confirmed=confirmed))


def status() -> None:
    """Show services, versions, addresses, memory and drift."""
    from stackctl.operations.status import status_command

    session.finish(status_command(session.request(), session.runner()))


def logs(
    service: Annotated[str | None, typer.Argument(help="One service; all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    slow: Annotated[bool, typer.Option("--slow", help="Only slow statements.")] = False,
    tail: Annotated[int, typer.Option(help="Lines to show.", min=1)] = 100,
) -> None:
    """Show what the services wrote."""
    from stackctl.operations.logs import logs_command

    if follow and session.output.as_json:
        raise UsageError("--json and --follow contradict: a document has an end", hint="leave one of them out")
    request, runner, show = session.request(), session.runner(), session.output.line
    session.finish(logs_command(request, runner, service, show, slow=slow, tail=tail, follow=follow))


def health(
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 30 on a warning too, for cron.")] = False,
) -> None:
    """Check the running stack in depth; exit code 30 where a check fails."""
    from stackctl.operations.health import health_command

    session.finish(health_command(session.request(), session.runner(), strict=strict))


def connect(
    role: Annotated[str, typer.Argument(help="report, app, monitor, backup or owner.")] = "report",
    application_name: Annotated[
        str | None,
        typer.Option("--application-name", metavar="NAME", help="What the server calls it; else the role."),
    ] = None,
    statement_timeout: Annotated[
        str | None, typer.Option("--statement-timeout", metavar="5min", help="Limit for each statement.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="Parameter of the session; repeatable.")
    ] = None,
    output: Annotated[str, typer.Option("--format", metavar="url", help="url, dsn, or env for a shell.")] = "url",
) -> None:
    """Print the connection string of a role, without its password."""
    from stackctl.operations.connect import Asked, connect_command

    # --format json is --json, as everywhere.
    shape = "url" if session.output.as_json and output == "json" else output
    found = connect_command(session.request(), Asked(role, application_name, statement_timeout, option or [], shape))
    if not session.output.as_json:
        for line in found.lines:
            session.output.line(line)
        for remark in found.remarks:
            session.output.remark(remark)
    session.finish(found.result)


def exporter(
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to serve them.")] = "127.0.0.1:9188",
    once: Annotated[bool, typer.Option("--once", help="Print them once instead.")] = False,
) -> None:
    """Serve what stackctl knows of the stack for Prometheus, without end."""
    from stackctl.operations.exporter import print_command, serve_command

    if session.output.as_json:
        raise UsageError("metrics are no JSON document", hint="leave out --json; stackctl backup status has one")
    if once:
        session.output.line(print_command(session.request(), session.runner(), session.output.note).rstrip("\n"))
        return
    serve_command(session.request(), session.runner(), session.output.note, listen)


@with_profile
def doctor(flags: Flags, sets: list[str]) -> None:
    """Check this host before anything runs; exit code 30 where a check fails."""
    from stackctl.operations.doctor import doctor_command

    session.finish(doctor_command(session.request(flags, sets), session.runner()))


COMMANDS = {
    each.__name__: each
    for each in (init, size, render, plan, up, down, restore, status, health, logs, doctor, connect, exporter, bench)
}


def register(app: typer.Typer, only: str = "") -> None:
    """Add the command `only`, or all where there is no such one: building them takes longer than sizing."""
    if only not in COMMANDS:
        from stackctl.cli import alerts, backup, ballast, wal

        app.add_typer(alerts.app, name="alerts")
        app.add_typer(backup.app, name="backup")
        app.add_typer(ballast.app, name="ballast")
        app.add_typer(wal.app, name="wal")
    if only in ("alerts", "backup", "ballast", "wal"):
        return
    for command in [COMMANDS[only]] if only in COMMANDS else COMMANDS.values():
        app.command()(command)
