"""`stackctl health`: deep checks of the running stack, each with evidence and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stackctl.engine.runner import Runner
from stackctl.errors import EditedByHand, Problem, StackError
from stackctl.health.checks import judge
from stackctl.health.model import Check, Facts, Status
from stackctl.health.probes import collect
from stackctl.operations.engines import recorded_engine
from stackctl.operations.plan import find_changes
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.operations.stack import prepare

UNHEALTHY = 30


def health_command(request: Request, runner: Runner) -> Result:
    """Check and judge. Exit code 30 where a check fails; a warning alone is 0."""
    opened = open_recorded(request)
    if opened.state is None:
        return checked(judge(Facts()), opened.warnings)
    engine = recorded_engine(opened, runner)
    facts = collect(engine)
    # A server that hangs is asked once.
    if facts.connections is not None:
        drifted, unknown = _drift(request, runner)
        facts = replace(facts, drifted=drifted, drift_unknown=unknown)
    return checked(judge(facts), opened.warnings)


def checked(checks: Sequence[Check], warnings: Sequence[Problem] = ()) -> Result:
    """The result of a list of checks, for `health` and `doctor` alike."""
    failed = [check for check in checks if check.status is Status.FAIL]
    rows = [[check.id, check.status, check.evidence, check.hint] for check in checks]
    verdict = (
        f"{len(failed)} failed"
        if failed
        else "healthy"
        if all(c.status is not Status.WARN for c in checks)
        else "fine, with warnings"
    )
    return Result(
        {"checks": [as_data(check) for check in checks]},
        [Table(["check", "status", "evidence", "hint"], rows), Line(verdict, "bad" if failed else "good")],
        warnings,
        exit_code=UNHEALTHY if failed else 0,
    )


def as_data(check: Check) -> dict[str, Any]:
    """One check for `--json`."""
    return {"id": check.id, "status": check.status, "evidence": check.evidence, "hint": check.hint}


def _drift(request: Request, runner: Runner) -> tuple[tuple[str, ...], str]:
    """Parameters and files that are not as the project says, or why they could not be compared."""
    try:
        changes = find_changes(prepare(request, runner))
    except EditedByHand as error:
        return (str(error),), ""
    except StackError as error:
        return (), str(error)
    return (*(change.name for change in changes.parameters), *(change.path for change in changes.files)), ""
