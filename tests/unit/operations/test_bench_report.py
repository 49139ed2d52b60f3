"""What a bench tells people of its counters."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from profiles import REFERENCE
from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.pairing import Measured
from stackctl.bench.slices import Slice
from stackctl.bench.workloads import catalogue
from stackctl.engine.rooms import Limits
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench import interrupted
from stackctl.operations.bench_chart import picture
from stackctl.operations.bench_report import Compared, Run, _blocks, result_of
from stackctl.operations.result import Result, Table
from stackctl.units import MIB, Bytes


def taken(rate: float, p95: float, **counted: float) -> Slice:
    return Slice(rate, 100, 0, 1, p95, p95, 1, 0, Counters(**counted))


def run(*compared: Compared) -> Run:
    return Run(Limits(Bytes(1), Bytes(1), 1, DiskLimit()), "", 1, 1, datetime.now(UTC), 1, compared)


def tables(*measured: Measured) -> dict[str, Table]:
    found = run(Compared(Contender("ours", {}, {}, 0), measured))
    return {each.title: each for each in _blocks(found) if isinstance(each, Table)}


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


def test_speed_that_is_bought_with_durability_is_nowhere_faster() -> None:
    """Twice as fast with synchronous_commit off: grey in the picture, without a mean."""
    faster = [taken(20, 1)] * 6
    work = [Measured(catalogue()[name], faster, [taken(10, 1)] * 6) for name in ("tpcb", "read")]
    traded = Compared(Contender("loose", {"synchronous_commit": "off"}, {}, 0), work)
    kept = Compared(Contender("safe", {}, {}, 0), work)
    both = run(traded, kept)
    dots = re.findall(r'<circle .*fill="(#\w+)"', picture(both))
    assert dots == ["#666666", "#666666", "#0072b2", "#0072b2"]
    loose, safe = result_of(both, REFERENCE, "embedded", []).data["compared"]
    assert (loose["geometric_mean"], safe["geometric_mean"]) == (None, 2.0)
    (table,) = (each for each in _blocks(both) if isinstance(each, Table) and each.rows[-1][0] == "geometric mean")
    assert table.rows[-1][1:3] == ["-", "2.00"]


def test_what_failed_is_told_from_what_was_never_begun() -> None:
    """The second was interrupted before `bulk`; the first cannot do `index`."""
    work = {name: Measured(catalogue()[name], side(1), side(1)) for name in ("read", "index", "bulk")}
    first = Compared(Contender("first", {}, {}, 0), [work["read"], work["bulk"]], failed=frozenset(["index"]))
    second = Compared(Contender("second", {}, {}, 0), [work["read"], work["index"]])
    (table,) = (each for each in _blocks(run(first, second)) if isinstance(each, Table) and "as fast" in each.title)
    cells = {row[0]: row[1:3] for row in table.rows}
    assert cells["bulk"][1] == "not measured"
    assert cells["index"][0] == "failed"


def test_an_interruption_is_an_error_beside_what_was_measured() -> None:
    """As the page on exit codes promises to scripts."""
    found = interrupted(Result({"scale": 1}, []))
    assert (found.exit_code, found.data, [each.code for each in found.errors]) == (130, {"scale": 1}, ["interrupted"])
