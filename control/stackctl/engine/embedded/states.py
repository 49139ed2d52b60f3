"""The state of one supervised service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stackctl.engine.base import ServiceState
from stackctl.engine.embedded import probes
from stackctl.render.model import Place


def state_of(name: str, info: Mapping[str, Any], where: Place, answers: Callable[[str], bool]) -> ServiceState:
    """What supervisord tells of a program, and its health as the service itself `answers`."""
    up = info["statename"] in ("RUNNING", "STARTING")
    fine = up and answers(name)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(info["start"])) if up else None
    memory = probes.resident(info["pid"]) if up else None
    health = "healthy" if fine else "unhealthy"
    state = "running" if fine else info["statename"].lower()
    address = where.address(name) if name in where.addresses else ""
    return ServiceState(name, state, health, "", address, memory, None, started)


def receiving(where: Place) -> bool:
    """Whether WAL is received: receive-wal keeps a file there for as long as it is."""
    return (Path(where.run) / "receiving").exists()
