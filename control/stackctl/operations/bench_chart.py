"""`stackctl bench --chart FILE`: the picture of a run, and the file that it goes to."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.bench.chart import Course, Row, drawn
from stackctl.bench.contenders import STOCK
from stackctl.errors import Problem, ProfileError, UsageError
from stackctl.operations.bench_report import Run, latency_of, rate_of


def refuse_unwritable(chart: Path) -> None:
    """A run of an hour shall not end in a file that cannot be made. Raises UsageError, ProfileError."""
    if chart.suffix != ".svg":
        raise UsageError(f"--chart {chart}: the picture is an SVG", hint=f"--chart {chart.with_suffix('.svg')}")
    if not chart.parent.is_dir():
        raise UsageError(f"--chart {chart}: there is no folder {chart.parent}", hint="make it, or name another")
    if chart.is_dir() or not os.access(chart if chart.exists() else chart.parent, os.W_OK):
        raise ProfileError(f"--chart {chart} cannot be written", hint="name a file of your own")


def draw(chart: Path, run: Run) -> list[Problem]:
    """Write the picture; what kept it from being written, as an hour's result is worth more than its picture."""
    try:
        chart.write_text(picture(run), encoding="utf-8")
    except OSError as error:
        return [Problem("no_chart", f"--chart {chart}: {error.strerror or error}", "the numbers are in the result")]
    return []


def picture(run: Run) -> str:
    """Ratios of all contenders, and the 95th percentile over time of work that goes on and on."""
    rows, courses = [], []
    for found in run.compared:
        for each in found.measured:
            label = f"{found.contender.name}: {each.workload.name}"
            rate = rate_of(each, run.seed)
            rows.append(Row(label, rate, found.verdict(rate)))
            if each.workload.checkpoints and latency_of(each, run.seed) is not None:
                sides = {STOCK: [s.p95 for s in each.theirs], found.contender.name: [s.p95 for s in each.ours]}
                courses.append(Course(f"{label}, 95th percentile of each slice in its order", sides))
    return drawn(f"Times as fast as {STOCK}, with the interval of 95 %", rows, courses)
