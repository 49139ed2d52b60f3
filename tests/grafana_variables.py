"""What Grafana makes of a dashboard's query before it asks Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
SCRAPE_SECONDS = 15


@dataclass(frozen=True)
class Asked:
    """One query of a panel."""

    dashboard: str
    panel: str
    kind: str
    target: Json

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel} {self.target['refId']}"


def queries(dashboard: Json) -> Iterator[Asked]:
    """Each query of a dashboard."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield Asked(dashboard["uid"], panel["title"], panel["type"], target)


def everything(dashboard: Json, found: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The text that stands for each variable when All is chosen: its own value for that, or all that was `found`."""
    variables = (each for each in dashboard["templating"]["list"] if each["type"] == "query")
    return {each["name"]: each.get("allValue") or _any_of(found[each["name"]]) for each in variables}


def _any_of(values: Sequence[str]) -> str:
    # Grafana writes a backslash of a regular expression twice, as it stands in a string of PromQL.
    escaped = [re.sub(r"([\\^$.|?*+()\[\]{}])", r"\\\\\1", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def substituted(target: Json, values: Mapping[str, str], *, seconds: int, step: int) -> str:
    """The expression for a picture of `seconds` with a point each `step` seconds."""
    scrape = {"1m": 60}.get(target.get("interval", ""), SCRAPE_SECONDS)
    window = max(step + scrape, 4 * scrape)
    expression: str = target["expr"].replace("$__rate_interval", f"{window}s").replace("$__range", f"{seconds}s")
    for name, value in values.items():
        expression = re.sub(rf"\${name}\b", value.replace("\\", "\\\\"), expression)
    assert "$" not in expression, f"a variable that is none: {expression}"
    return expression
