"""What a bench says of the statements that it asks again, and of the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from profiles import REFERENCE
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.replay import Seen
from stackctl.bench.workloads import own_script
from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Completed
from stackctl.hardware.model import DiskLimit
from stackctl.operations.bench import Asked, _scale
from stackctl.operations.bench_report import Run, result_of
from stackctl.operations.bench_statements import Statements
from stackctl.units import Bytes


def test_a_statement_that_a_run_may_never_come_to_is_named() -> None:
    room: Any = SimpleNamespace(run=lambda *argv, **_: Completed(argv, 0, "", ""))
    instance = Instance(room, Contender("stock", {}, {}, 0), 17)
    seen = (Seen("SELECT 1 FROM tools", 50_000), Seen("SELECT 2 FROM tools", 2))
    workload, problems = Statements(seen, Path("/dump")).asked(own_script("statements", ""), instance)
    assert (workload.about, workload.role) == ("2 of your statements, on a copy of your rows", "client")
    (problem,) = problems
    assert problem.code == "statement_rare"
    assert problem.message == "SELECT 2 FROM tools: one of 25001 calls, which a run may never come to"


def test_rows_of_the_users_have_no_scale() -> None:
    """Nor has a run on them one of ours: nothing was made that is so large."""
    assert [_scale(each) for each in (Asked(), Asked(quick=True), Asked(quick=True, scale=5))] == [100, 20, 5]
    for asked, expected in ((Asked(from_statements=True), None), (Asked(scale=7), 7)):
        limits = Limits(Bytes(1), Bytes(1), 1, DiskLimit())
        run = Run(limits, "", _scale(asked), 1, datetime.now(UTC), 1, [])
        assert result_of(run, REFERENCE, "embedded", []).data["scale"] == expected
