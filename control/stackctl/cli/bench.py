"""The command `bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stackctl.cli.options import with_profile
from stackctl.cli.session import session
from stackctl.errors import UsageError

_LIST = "Separated by commas."


@with_profile
def bench(
    flags: dict[str, str | None],
    sets: list[str],
    peers: Annotated[
        str, typer.Option(metavar="NAMES", help=f"Who is measured, each against stock. {_LIST}")
    ] = "stackctl",
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer workloads and shorter slices: under five minutes.")
    ] = False,
    workloads: Annotated[str, typer.Option(metavar="NAMES", help=f"Only these. {_LIST}")] = "",
    conf: Annotated[Path | None, typer.Option(metavar="FILE", help="A postgresql.conf that is measured too.")] = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your own SQL, as a script for pgbench, in place of the workloads."),
    ] = None,
    from_statements: Annotated[
        bool,
        typer.Option("--from-statements", help="What the app of your running stack asks most, on a copy of its rows."),
    ] = False,
    scale: Annotated[int, typer.Option(metavar="N", help="Size of the tables, in 15 MB.", min=0)] = 0,
    rounds: Annotated[int, typer.Option(metavar="N", help="Slices of each server for a workload.", min=0)] = 0,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Decides the order of slices; the same seed, the same order.")
    ] = 0,
    chart: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw the ratios into this file.")] = None,
) -> None:
    """Measure configurations side by side on throwaway servers; your own data and stack are not touched."""
    from stackctl.operations.bench import Asked, bench_command

    work = {"--workloads": workloads, "--script": script, "--from-statements": from_statements}
    tables = {"--from-statements": from_statements, "--scale": scale}
    for chosen in (work, tables):
        if len(given := [name for name, value in chosen.items() if value]) > 1:
            raise UsageError(f"{' and '.join(given)} contradict each other", hint="leave one of them out")
    asked = Asked(_names(peers), _names(workloads), conf, script, quick, scale, rounds, seed, chart, from_statements)
    session.finish(bench_command(session.request(flags, sets), session.runner(), session.output.note, asked))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
