"""What `health` says of alerts: who is told, what was silenced, and whether messages arrive."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from stackctl.engine.embedded.place import LOOPBACK
from stackctl.errors import ProfileError, Unhealthy
from stackctl.health.model import Check, Status
from stackctl.operations.alerting.api import Alertmanager, plain
from stackctl.operations.alerting.receivers import judge_receivers, section
from stackctl.render.stack import ALERTMANAGER
from stackctl.units import counted

_SECONDS = 5.0
# An hour is longer than any receiver is restarted for, and short enough that what was mended is soon forgotten.
_UNDELIVERED = "sum by (integration, receiver_name) (increase(alertmanager_notifications_failed_total[1h])) > 0"
# By whether it is equal, and whether it is a pattern.
_SIGNS = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
_PAGE = "stackctl alerts list, and the silences on Alertmanager's page, say more"


def alert_checks(folder: Path, services: Mapping[str, str], ports: Mapping[str, int]) -> tuple[Check, ...]:
    """The checks of a running stack; none where nothing runs."""
    if not services:
        return ()
    found = [_told(folder, services)]
    if services.get(ALERTMANAGER) == "healthy":
        found.append(_silenced(ports[ALERTMANAGER]))
    if services.get("prometheus") == "healthy" and ALERTMANAGER in services:
        found.append(judge_delivery(_undelivered(ports["prometheus"])))
    return tuple(found)


def _told(folder: Path, services: Mapping[str, str]) -> Check:
    try:
        return judge_receivers(section(folder), services)
    except ProfileError as error:
        return Check("alert_receivers", Status.WARN, f"nobody knows who is told of alerts: {error}", error.hint)


def _silenced(port: int) -> Check:
    try:
        return judge_silences(Alertmanager(port).silences())
    except Unhealthy as error:
        return Check("alert_silences", Status.SKIP, str(error))


def judge_silences(silences: Sequence[Mapping[str, Any]]) -> Check:
    """Silences as the API lists them. They are somebody's wish, and easily forgotten."""
    active = [each for each in silences if each["status"]["state"] == "active"]
    if not active:
        return Check("alert_silences", Status.OK, "none")
    shown = "; ".join(map(_silence, active[:3])) + (f" and {len(active) - 3} more" if len(active) > 3 else "")
    return Check("alert_silences", Status.WARN, f"{counted(len(active), 'silence')}: {shown}", _PAGE)


def _silence(each: Mapping[str, Any]) -> str:
    what = ", ".join(f"{m['name']}{_sign(m)}{m['value']}" for m in each["matchers"])
    return plain(f"{what} until {each['endsAt'][:16]}Z by {each['createdBy']} ({each['comment']})")


def _sign(matcher: Mapping[str, Any]) -> str:
    equal, pattern = matcher.get("isEqual", True), matcher["isRegex"]
    return _SIGNS[equal, pattern]


def judge_delivery(failed: Mapping[str, float] | None) -> Check:
    """Messages that Alertmanager gave up within the last hour, by receiver; None where Prometheus does not say."""
    if failed is None:
        return Check("alert_delivery", Status.SKIP, "Prometheus does not say")
    if not failed:
        return Check("alert_delivery", Status.OK, "no message was given up within an hour")
    shown = ", ".join(f"{name} {max(1, round(number))}" for name, number in sorted(failed.items()))
    hint = "stackctl alerts test --receiver NAME says why; stackctl alerts list shows what was to be told"
    return Check("alert_delivery", Status.WARN, plain(f"messages given up within an hour: {shown}"), hint)


def _undelivered(port: int) -> dict[str, float] | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{LOOPBACK}:{port}/api/v1/query?{urlencode({'query': _UNDELIVERED})}"
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            return undelivered(json.load(answer))
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None


def undelivered(answer: Mapping[str, Any]) -> dict[str, float]:
    """Messages by receiver in the answer to the query; by kind where the metrics do not name it."""
    return {
        each["metric"].get("receiver_name") or each["metric"]["integration"]: float(each["value"][1])
        for each in answer["data"]["result"]
    }
