"""`stackctl alerts test`: one made-up alert through the real Alertmanager to each receiver, and whether it arrived."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine, Problem, ProfileError, StackError, UsageError
from stackctl.operations.alerting.api import Alertmanager, Sample, alertmanager_of
from stackctl.operations.alerting.delivery import Delivery, known, log_error
from stackctl.operations.alerting.receivers import NOBODY, section
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Block, Line, Request, Result, Table
from stackctl.render.alerting import TEST, TEST_RECEIVER
from stackctl.render.stack import ALERTMANAGER
from stackctl.settings.alerts import AlertReceiver
from stackctl.settings.values import nearest

Note = Callable[[str], None]
UNDELIVERED, TIMED_OUT = 30, 31
_LOGS = "stackctl logs alertmanager; see its URL, its secret, and whether the machine may connect to it"
# Alertmanager gives an attempt, with its repetitions, ten seconds; it may begin one second late.
PATIENCE = 30.0
_POLL = 0.3
# The alert ends by itself, should we be killed before we end it.
_LASTS = timedelta(minutes=5)
_LOG_LINES = 200


def trial_command(request: Request, runner: Runner, note: Note, wanted: str | None) -> Result:
    """Send, wait, and end it again. Exit code 30 where it was not delivered, 31 where nobody knows after 30 s.

    Raises NoEngine before the first `up`, ProfileError without receivers, UsageError for one that is not there,
    Unhealthy where Alertmanager does not run, or with other receivers.
    """
    opened = open_recorded(request)
    if opened.state is None:
        raise NoEngine(f"nothing was brought up in {opened.project.folder} yet", hint="stackctl up")
    chosen = _chosen(section(opened.project.folder).receivers, wanted)
    engine = recorded_engine(opened, runner)
    alertmanager = alertmanager_of(engine, opened.state)
    _refuse_unknown(alertmanager, chosen)
    mark = secrets.token_hex(4)
    note(f"sending one alert to {', '.join(each.name for each in chosen)}")
    alerts = [_alert(opened.project.name, each, mark, datetime.now(UTC)) for each in chosen]
    before = alertmanager.samples()
    try:
        alertmanager.send(alerts)
        found = _watched(alertmanager, chosen, before, mark)
    finally:
        alertmanager.send([{**alert, "endsAt": datetime.now(UTC).isoformat()} for alert in alerts])
    return _result([_explained(each, engine, mark) for each in found], opened.warnings)


def _chosen(receivers: Sequence[AlertReceiver], wanted: str | None) -> list[AlertReceiver]:
    if not receivers:
        hint = "name one below alerts.receivers in stackctl.yaml, then stackctl up"
        raise ProfileError(NOBODY, hint=hint, code="no_receiver")
    if wanted is None:
        return list(receivers)
    found = [each for each in receivers if each.name == wanted]
    if not found:
        names = [each.name for each in receivers]
        raise UsageError(f"no receiver {wanted!r} in stackctl.yaml", hint=nearest(wanted, names))
    return found


def _refuse_unknown(alertmanager: Alertmanager, chosen: Sequence[AlertReceiver]) -> None:
    there = alertmanager.receivers()
    if missing := [each.name for each in chosen if each.name not in there]:
        raise ProfileError(
            f"Alertmanager runs without {', '.join(missing)}", hint="stackctl up brings it in", code="no_receiver"
        )


def _alert(stack: str, receiver: AlertReceiver, mark: str, now: datetime) -> dict[str, Any]:
    return {
        "labels": {"alertname": TEST, "severity": "info", "stack": stack, TEST_RECEIVER: receiver.name, "test": mark},
        "annotations": {
            "summary": f"A test: alerts of {stack} reach {receiver.name}",
            "description": "Sent by stackctl alerts test. Nothing is wrong, and nothing is to be done.",
        },
        "startsAt": now.isoformat(),
        "endsAt": (now + _LASTS).isoformat(),
    }


def _watched(
    alertmanager: Alertmanager, chosen: Sequence[AlertReceiver], before: Sequence[Sample], mark: str
) -> list[Delivery]:
    """What became of each, in their order, as soon as all are known."""
    begun, found = time.monotonic(), dict[str, Delivery]()
    while True:
        seconds = time.monotonic() - begun
        after, silences = alertmanager.samples(), _silences(alertmanager, mark)
        for each in chosen:
            if each.name not in found and (news := known(each, before, after, silences, seconds)):
                found[each.name] = news
        if len(found) == len(chosen) or seconds > PATIENCE:
            late = f"Alertmanager says nothing of it after {PATIENCE:.0f} s"
            return [found.get(each.name) or Delivery(each.name, each.kind, None, seconds, late) for each in chosen]
        time.sleep(_POLL)


def _silences(alertmanager: Alertmanager, mark: str) -> dict[str, str]:
    """Silences that hold our alerts back, by receiver."""
    return {
        each["labels"][TEST_RECEIVER]: ", ".join(each["status"]["silencedBy"])
        for each in alertmanager.alerts(f'alertname="{TEST}"', f'test="{mark}"')
        if each["status"].get("silencedBy")
    }


def _explained(delivery: Delivery, engine: Engine, mark: str) -> Delivery:
    """With the words of Alertmanager's log, which hides URLs, where there are some."""
    if delivery.delivered is not False or "silenced" in delivery.reason:
        return delivery
    try:
        lines = list(engine.logs(ALERTMANAGER, _LOG_LINES))
    except (StackError, OSError):
        return delivery
    words = log_error(lines, delivery, mark)
    reason = f"{delivery.reason}: {words}" if words else delivery.reason
    return Delivery(delivery.name, delivery.kind, False, delivery.seconds, reason)


def _result(found: Sequence[Delivery], warnings: Sequence[Problem]) -> Result:
    data = {
        "receivers": [
            {
                "name": each.name,
                "kind": each.kind,
                "delivered": each.delivered,
                "seconds": round(each.seconds, 1),
                "reason": each.reason,
            }
            for each in found
        ]
    }
    words = {True: "delivered", False: "not delivered", None: "not known"}
    rows = [[each.name, each.kind, words[each.delivered], each.reason] for each in found]
    bad = [each for each in found if not each.delivered]
    errors = [
        Problem(
            "alert_undelivered" if each.delivered is False else "timeout",
            f"{each.name} ({each.kind}): {words[each.delivered]}: {each.reason}",
            _LOGS,
        )
        for each in bad
    ]
    out: list[Block] = [Table(["receiver", "kind", "test", "reason"], rows)]
    if not bad:
        out.append(Line("each was handed its alert, and is told that it is over", "good"))
    code = UNDELIVERED if any(each.delivered is False for each in bad) else TIMED_OUT if bad else 0
    return Result(data, out, warnings, errors, code)
