"""What became of a test alert, by Alertmanager's metrics and log. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackctl.operations.alerting.api import Sample, plain
from stackctl.settings.alerts import AlertReceiver

_PREFIX = "alertmanager_notification"
_ERROR = re.compile(r'\berr=("(?:[^"\\]|\\.)*"|\S+)')
_REASONS = {
    "clientError": "it refused the message",
    "serverError": "it failed itself",
    "contextDeadlineExceeded": "it did not answer in time",
}


@dataclass(frozen=True)
class Delivery:
    """What became of the alert to one receiver. `delivered` is None where nobody knows; `reason` says why not."""

    name: str
    kind: str
    delivered: bool | None
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Counts:
    """Attempts of one receiver since Alertmanager's start: all, those that failed, and given up by reason."""

    attempts: float
    failed: float
    given_up: Mapping[str, float]


def known(
    receiver: AlertReceiver,
    before: Sequence[Sample],
    after: Sequence[Sample],
    silences: Mapping[str, str],
    seconds: float,
) -> Delivery | None:
    """What became of the alert to one receiver; None while it is tried. `before` and `after` are the metrics.

    `silences` are what holds it back, by receiver.
    """
    name, kind = receiver.name, receiver.kind
    if name in silences:
        reason = f"it is silenced by {silences[name]}, as real ones may be: see the silences on Alertmanager's page"
        return Delivery(name, kind, False, seconds, reason)
    old, new = counts(before, receiver), counts(after, receiver)
    if new.attempts < old.attempts:
        old = Counts(0, 0, {})
    if new.attempts - new.failed > old.attempts - old.failed:
        return Delivery(name, kind, True, seconds)
    gave_up = [why for why, number in new.given_up.items() if number > old.given_up.get(why, 0)]
    if gave_up:
        return Delivery(name, kind, False, seconds, _REASONS.get(gave_up[0], "Alertmanager gave up"))
    return None


def counts(found: Sequence[Sample], receiver: AlertReceiver) -> Counts:
    """What the metrics say of one receiver; of all of its kind where they do not name it, as before this version."""
    mine = [
        sample
        for sample in found
        if sample.labels.get("integration") == receiver.kind
        and sample.labels.get("receiver_name", receiver.name) == receiver.name
    ]

    def total(name: str) -> float:
        return sum(sample.value for sample in mine if sample.name == name)

    given_up: dict[str, float] = {}
    for sample in mine:
        if sample.name == f"{_PREFIX}s_failed_total":
            why = sample.labels.get("reason", "other")
            given_up[why] = given_up.get(why, 0) + sample.value
    return Counts(total(f"{_PREFIX}_requests_total"), total(f"{_PREFIX}_requests_failed_total"), given_up)


def log_error(lines: Sequence[str], delivery: Delivery, mark: str) -> str:
    """The last error of this delivery in Alertmanager's log, empty where there is none."""
    whole = f"{delivery.name}/{delivery.kind}["
    mine = [line for line in lines if whole in line or (mark in line and f"receiver={delivery.name} " in line)]
    for line in reversed(mine):
        if match := _ERROR.search(line):
            word = match[1]
            text = str(json.loads(word)) if word.startswith('"') else word
            return plain(text).rsplit("attempts: ", 1)[-1][:300]
    return ""
