"""What a bench tells people of its counters."""

from __future__ import annotations

from datetime import UTC, datetime

from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.pairing import Measured
from stackctl.bench.slices import Slice
from stackctl.bench.workloads import catalogue
from stackctl.engine.rooms import Limits
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench_report import Compared, Run, _blocks
from stackctl.operations.result import Table
from stackctl.units import MIB, Bytes


def taken(rate: float, p95: float, **counted: float) -> Slice:
    return Slice(rate, 100, 0, 1, p95, p95, 1, 0, Counters(**counted))


def tables(*measured: Measured) -> dict[str, Table]:
    contender = Contender("ours", {}, {}, 0)
    limits, found = Limits(Bytes(1), Bytes(1), 1, DiskLimit()), Compared(contender, measured)
    run = Run(limits, "", 1, 1, datetime.now(UTC), 1, [found])
    return {each.title: each for each in _blocks(run) if isinstance(each, Table)}


def side(*p95s: float, **counted: float) -> list[Slice]:
    return [taken(10, p95, **counted) for p95 in p95s]


def test_what_updates_left_behind_is_told_with_latency_over_time() -> None:
    """Four rounds of each: 40 updates of which 30 and 10 were HOT; ours grows slower."""
    theirs = side(1, 2, 3, 4, updates=10, hot_updates=7.5, vacuums=1, database_bytes=MIB / 4)
    ours = side(2, 4, 6, 9, updates=10, hot_updates=2.5, vacuums=0, database_bytes=MIB)
    title = "What updates left behind: stock, ours"
    (row,) = tables(Measured(catalogue()["mix"], ours, theirs))[title].rows
    # The thirds of four rounds are the first, two in the middle, and the last.
    assert row == ["mix", "40, 40", "75, 25", "4, 0", "1.0, 4.0", "1.0 2.5 4.0, 2.0 5.0 9.0"]


def test_reads_leave_nothing_behind() -> None:
    shown = tables(Measured(catalogue()["read"], side(1), side(2)))
    assert not [title for title in shown if "left behind" in title]
