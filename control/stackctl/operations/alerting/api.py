"""Alertmanager of a running stack: what it is asked over loopback, and what it answers."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.engine.base import Engine
from stackctl.engine.embedded.place import LOOPBACK
from stackctl.errors import NoEngine, Unhealthy
from stackctl.operations.state import State
from stackctl.render.stack import ALERTMANAGER

# It answers from memory; a process that needs longer hangs.
_SECONDS = 5.0
_SAMPLE = re.compile(r"^(alertmanager_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_HINT = "stackctl logs alertmanager"


@dataclass(frozen=True)
class Sample:
    """One line of its metrics."""

    name: str
    labels: Mapping[str, str]
    value: float


class Alertmanager:
    """Version 2 of its API, and its metrics. Methods raise Unhealthy where it does not answer."""

    def __init__(self, port: int) -> None:
        self._port = port

    def alerts(self, *filters: str) -> list[dict[str, Any]]:
        """All alerts that did not end, silenced and inhibited ones too; `filters` are matchers."""
        from urllib.parse import urlencode

        query = urlencode([("filter", each) for each in filters])
        found: list[dict[str, Any]] = json.loads(self._ask("GET", f"/api/v2/alerts?{query}"))
        return found

    def silences(self) -> list[dict[str, Any]]:
        """All silences, expired ones too."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/api/v2/silences"))
        return found

    def receivers(self) -> list[str]:
        """Names of the receivers that it runs with."""
        return [each["name"] for each in json.loads(self._ask("GET", "/api/v2/receivers"))]

    def send(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Give it alerts, as Prometheus does."""
        self._ask("POST", "/api/v2/alerts", json.dumps(alerts))

    def samples(self) -> list[Sample]:
        """What its metrics say."""
        return samples(self._ask("GET", "/metrics"))

    def _ask(self, method: str, path: str, body: str | None = None) -> str:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=_SECONDS)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (http.client.HTTPException, OSError) as error:
            raise Unhealthy(f"Alertmanager does not answer: {error or type(error).__name__}", hint=_HINT) from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise Unhealthy(f"Alertmanager answers {answer.status}: {text.strip()[:200]}", hint=_HINT)
        return text


def samples(exposition: str) -> list[Sample]:
    """The samples with labels in the text that Prometheus would scrape."""
    return [
        Sample(name, dict(_LABEL.findall(labels)), float(value)) for name, labels, value in _SAMPLE.findall(exposition)
    ]


def plain(text: str) -> str:
    """Without what would act on a terminal: whoever reaches Alertmanager's port can write a label or a silence."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def alertmanager_of(engine: Engine, state: State | None) -> Alertmanager:
    """The one of this stack, and of no other that has the port. Raises NoEngine and Unhealthy."""
    if state is None:
        raise NoEngine("nothing was brought up here yet", hint="stackctl up")
    found = {each.name: each for each in engine.services()}
    if not any(each.state == "running" for each in found.values()):
        raise Unhealthy("the stack does not run", hint="stackctl up")
    if ALERTMANAGER not in found:
        hint = "it needs a profile of 2 GiB or more; the embedded engine also the program alertmanager"
        raise Unhealthy("the stack has no Alertmanager", hint=hint)
    if found[ALERTMANAGER].state != "running":
        raise Unhealthy(f"Alertmanager does not run: {found[ALERTMANAGER].state}", hint=_HINT)
    return Alertmanager(state.ports[ALERTMANAGER])
