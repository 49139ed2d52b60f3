"""The embedded engine with its scheduler, which is no process of the services' account."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.embedded.engine import EmbeddedEngine
from stackctl.engine.embedded.scheduler import SERVICE, Scheduler
from stackctl.sizing.model import Sizing


class ScheduledEngine(EmbeddedEngine):
    """Starts the scheduler last and stops it first."""

    @cached_property
    def _scheduler(self) -> Scheduler:
        return Scheduler(self._project, self._runner)

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """What the scheduler's supervisor needs, too."""
        return {**super().extra(sizing, deployment), "scheduler": self._scheduler.values()}

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """The services, then the scheduler, where the stack has one."""
        deadline = time.monotonic() + timeout
        others = tuple(service for service in deployment.services if service != SERVICE)
        if SERVICE not in deployment.services:
            self._scheduler.stop()
        changes = [service for service in changed if service != SERVICE]
        super().start(replace(deployment, services=others), changes, timeout, note)
        if SERVICE in deployment.services:
            self._scheduler.start(SERVICE in changed, deadline)

    def stop(self, note: Note) -> None:
        """The scheduler with its job first: the job needs the database."""
        self._scheduler.stop()
        super().stop(note)

    def destroy(self, note: Note) -> None:
        """Remove what the scheduler keeps, too."""
        super().destroy(note)
        self._scheduler.remove()

    def running(self) -> bool:
        """Whether anything of the stack is there."""
        return self._scheduler.running() or super().running()

    def services(self) -> tuple[ServiceState, ...]:
        """The services and the scheduler, by name."""
        found = super().services()
        if self._scheduler.running() or (found and self._scheduler.wanted()):
            found = (*found, self._scheduler.state())
        return tuple(sorted(found, key=lambda state: state.name))

    def _log_files(self, service: str | None) -> list[Path]:
        if service == SERVICE:
            return [self._scheduler.log()]
        others = super()._log_files(service)
        return others if service else [*others, *([self._scheduler.log()] if self._scheduler.log().exists() else [])]
