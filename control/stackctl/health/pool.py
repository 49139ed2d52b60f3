"""Use of the app's connection pools, as the app's own metrics tell it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SAMPLE = re.compile(r"^app_db_pool_(\w+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class PoolUse:
    """Connections of all workers' pools together; `timeouts` counts requests refused since the app started."""

    size: int
    max_overflow: int
    checked_out: int
    idle: int
    timeouts: int

    @property
    def capacity(self) -> int:
        """Connections that the pools may hold at once."""
        return self.size + self.max_overflow


def pool_use(exposition: str) -> PoolUse | None:
    """The pools in the text that Prometheus would scrape; None where the app does not tell."""
    found = {name: int(float(value)) for name, value in _SAMPLE.findall(exposition)}
    try:
        return PoolUse(
            found["size"], found["max_overflow"], found["checked_out"], found["idle"], found["timeouts_total"]
        )
    except KeyError:
        return None
