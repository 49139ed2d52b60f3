"""What a bench warns of beside its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from stackctl.bench.contenders import Contender
from stackctl.bench.counters import Counters
from stackctl.bench.pairing import Measured
from stackctl.bench.slices import Slice
from stackctl.bench.workloads import catalogue
from stackctl.engine.rooms import Limits
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench_notes import notes_of
from stackctl.operations.bench_report import Compared, Run
from stackctl.units import Bytes

GUIDE = Contender("guide", {}, {}, 0)
# 200 transactions in one second.
DONE = Slice(200, 200, 0, 1, 2, 3, 1, 1, Counters())


def run(*measured: Measured, contender: Contender = GUIDE) -> Run:
    found = Compared(contender, measured)
    return Run(Limits(Bytes(1), Bytes(1), 1, DiskLimit()), "", 1, 1, datetime.now(UTC), 1, [found])


def work(name: str, ours: Sequence[Slice], theirs: Sequence[Slice]) -> Measured:
    return Measured(replace(catalogue()[name], rounds=6), ours, theirs)


def test_work_that_failed_or_was_refused_is_told_of_each_side() -> None:
    """A server that fails nine of ten transactions may well do the tenth faster."""
    failing, refusing = replace(DONE, failed=600), replace(DONE, refused=100)
    storm = work("storm", [DONE] * 5 + [failing], [refusing, refusing, *[DONE] * 4])
    notes = notes_of(run(storm, work("read", [DONE] * 6, [DONE] * 6)), [])
    assert [(each.code, each.message) for each in notes] == [
        ("work_refused", "guide: storm: 200 of 1400 times stock had no connection for a client"),
        ("work_failed", "guide: storm: 600 of 1800 transactions failed on guide"),
    ]


def test_who_has_too_few_rounds_is_told_what_would_give_more() -> None:
    """More rounds help nobody whose time was over, or whose server was killed."""
    asked = Measured(replace(catalogue()["read"], rounds=5), [DONE] * 5, [DONE] * 5)
    late = Measured(catalogue()["large"], [DONE] * 5, [DONE] * 5)
    killed = replace(late, workload=catalogue()["index"], ended="the kernel killed a process")
    few = [each for each in notes_of(run(asked, late, killed), []) if each.code == "few_rounds"]
    assert [(each.message.split(":")[0], each.hint) for each in few] == [
        ("read", "--rounds 6 or more"),
        ("large", "smaller tables take less time"),
        ("index", "what broke it off is told beside"),
    ]
