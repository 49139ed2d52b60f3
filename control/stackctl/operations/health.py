"""`stackctl health`: deep checks of the running stack, each with evidence and a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import EditedByHand, Problem, ProfileError, StackError
from stackctl.health.checks import judge
from stackctl.health.drift import find_drift, find_pending
from stackctl.health.model import Check, Facts, Status
from stackctl.health.probes import collect
from stackctl.operations.alerting.checks import alert_checks
from stackctl.operations.backup_health import judge_backups, judge_schedule, scheduled_jobs
from stackctl.operations.backup_section import with_backups
from stackctl.operations.backups.engines import backups_of
from stackctl.operations.engines import recorded_engine
from stackctl.operations.own_app import metrics_url
from stackctl.operations.plan import find_changes
from stackctl.operations.project import Recorded, catalog_for, open_recorded
from stackctl.operations.restored import judge_restored
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.operations.stack import prepare
from stackctl.operations.state import State

UNHEALTHY = 30


def health_command(request: Request, runner: Runner, *, strict: bool = False) -> Result:
    """Check and judge. Exit code 30 where a check fails; a warning alone is 0, unless `strict`."""
    opened, unknown = _with_backups(open_recorded(request))
    if opened.state is None:
        return checked(judge(Facts()), opened.warnings, strict=strict)
    engine = recorded_engine(opened, runner)
    facts = collect(engine, metrics_url(opened.state.app, opened.state.ports))
    if opened.project.away:
        facts = replace(facts, backups_beside_data=False)
    # A server that hangs is asked once.
    if facts.connections is not None:
        facts = _compared(facts, request, runner, opened.state)
    if unknown:
        facts = replace(facts, backups_beside_data=None)
    backups = (unknown,) if unknown else _backups(opened, engine, facts)
    told = alert_checks(opened.project.folder, facts.services, opened.state.ports)
    found = (*judge(facts), *backups, *told, *judge_restored(opened.state))
    return checked(found, opened.warnings, strict=strict)


def _with_backups(opened: Recorded) -> tuple[Recorded, Check | None]:
    """The project with its repository; or a check that says why nobody knows where that is."""
    try:
        return with_backups(opened)[0], None
    except ProfileError as error:
        evidence = f"nobody knows where the backups are: {error}"
        return opened, Check("backup", Status.WARN, evidence, error.hint)


def _backups(recorded: Recorded, engine: Engine, facts: Facts) -> tuple[Check, ...]:
    images = recorded.state.images if recorded.state else ""
    try:
        stored = backups_of(recorded.project, engine, images).stored()
        folder, dumps = recorded.project.folder, recorded.project.takes_dumps
        judged = judge_backups(stored, facts.archive, datetime.now(UTC), scheduled_jobs(folder), takes_dumps=dumps)
        return (*judged, *judge_schedule(folder, stored, facts.archive))
    except StackError as error:
        return (Check("backup", Status.FAIL, str(error), error.hint),)
    except OSError as error:
        return (Check("backup", Status.FAIL, f"the repository cannot be read: {error}", "see its owner and mode"),)


def checked(checks: Sequence[Check], warnings: Sequence[Problem] = (), *, strict: bool = False) -> Result:
    """The result of a list of checks, for `health` and `doctor` alike. Where `strict`, a warning is no success."""
    failed = [check for check in checks if check.status is Status.FAIL]
    warned = any(check.status is Status.WARN for check in checks)
    rows = [[check.id, check.status, check.evidence, check.hint] for check in checks]
    bad = bool(failed) or (strict and (warned or bool(warnings)))
    fine = "fine, with warnings" if warned else "healthy"
    verdict = f"{len(failed)} failed" if failed else "warnings, which --strict does not let pass" if bad else fine
    return Result(
        {"checks": [as_data(check) for check in checks]},
        [Table(["check", "status", "evidence", "hint"], rows), Line(verdict, "bad" if bad else "good")],
        warnings,
        exit_code=UNHEALTHY if bad else 0,
    )


def as_data(check: Check) -> dict[str, Any]:
    """One check for `--json`."""
    return {"id": check.id, "status": check.status, "evidence": check.evidence, "hint": check.hint}


def _compared(facts: Facts, request: Request, runner: Runner, state: State) -> Facts:
    """The facts with what is not as the project says, or why that could not be found out."""
    try:
        changes = find_changes(prepare(request, runner), facts.running)
    except StackError as error:
        facts = _beside_files(facts, state)
        if isinstance(error, EditedByHand):
            return replace(facts, drifted=(str(error),))
        return replace(facts, drift_unknown=str(error))
    values = (f"{each.name} = {each.old} (wanted {each.new})" for each in changes.parameters)
    drifted = (*values, *(change.path for change in changes.files))
    if not changes.running:
        # The project asks for another engine by now, and the recorded one answers.
        return replace(_beside_files(facts, state), drifted=drifted)
    return replace(facts, drift=changes.drift, pending_restart=changes.pending, drifted=drifted)


def _beside_files(facts: Facts, state: State) -> Facts:
    """Without a profile to compare with, the lines that were rendered last are what was wanted."""
    if facts.running is None or state.engine not in state.versions:
        return facts
    catalog = catalog_for(state.versions[state.engine])
    wanted = {name: line.value for name, line in facts.running.written.items()}
    drift = find_drift(facts.running, wanted, None, catalog)
    return replace(facts, drift=drift, pending_restart=find_pending(facts.running, catalog))
