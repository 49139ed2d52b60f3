"""What a bench says of the statements that it asks again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.replay import Seen
from stackctl.bench.workloads import own_script
from stackctl.engine.runner import Completed
from stackctl.operations.bench_statements import Statements


def test_a_statement_that_a_run_may_never_come_to_is_named() -> None:
    room: Any = SimpleNamespace(run=lambda *argv, **_: Completed(argv, 0, "", ""))
    instance = Instance(room, Contender("stock", {}, {}, 0), 17)
    seen = (Seen("SELECT 1 FROM tools", 50_000), Seen("SELECT 2 FROM tools", 2))
    workload, problems = Statements(seen, Path("/dump")).asked(own_script("statements", ""), instance)
    assert (workload.about, workload.role) == ("2 of your statements, on a copy of your rows", "client")
    (problem,) = problems
    assert problem.code == "statement_rare"
    assert problem.message == "SELECT 2 FROM tools: one of 25001 calls, which a run may never come to"
