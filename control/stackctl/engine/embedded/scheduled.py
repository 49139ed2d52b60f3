"""The embedded engine with the services that are no processes of the services' account: scheduler and observer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.embedded.engine import EmbeddedEngine
from stackctl.engine.embedded.operator_service import OBSERVER, SCHEDULER, OperatorService
from stackctl.engine.embedded.place import LOOPBACK
from stackctl.engine.embedded.watch import EmbeddedWatch
from stackctl.render.model import Address
from stackctl.settings.vault import Vault
from stackctl.sizing.model import Sizing


class ScheduledEngine(EmbeddedEngine):
    """Starts what is the operator's last, and stops it first."""

    @cached_property
    def _beside(self) -> Mapping[str, OperatorService]:
        observed = Address(LOOPBACK, self._ports.observer)
        return {
            SCHEDULER: OperatorService(self._project, self._runner, SCHEDULER),
            OBSERVER: OperatorService(self._project, self._runner, OBSERVER, observed),
        }

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """Without an observer where nothing is there to ask it."""
        found = super().deployment(wanted)
        if "prometheus" in found.services or OBSERVER not in found.services:
            return found
        missing = {**found.missing, OBSERVER: found.missing.get("prometheus", "there is no Prometheus")}
        services = tuple(service for service in found.services if service != OBSERVER)
        return replace(found, services=services, missing=missing)

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """What their supervisors need, too."""
        return {**super().extra(sizing, deployment), **{name: each.values() for name, each in self._beside.items()}}

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """The services, then those of the operator that the stack has."""
        deadline = time.monotonic() + timeout
        mine = [service for service in deployment.services if service in self._beside]
        for name, service in self._beside.items():
            if name not in mine:
                service.stop()
        others = tuple(service for service in deployment.services if service not in self._beside)
        changes = [service for service in changed if service not in self._beside]
        super().start(replace(deployment, services=others), changes, timeout, note)
        for name in mine:
            self._beside[name].start(name in changed, deadline)

    def stop(self, note: Note) -> None:
        """The scheduler with its job first: the job needs the database."""
        for service in self._beside.values():
            service.stop()
        super().stop(note)

    def destroy(self, note: Note) -> None:
        """Remove what they keep, too."""
        super().destroy(note)
        for service in self._beside.values():
            service.remove()

    def running(self) -> bool:
        """Whether anything of the stack is there."""
        return any(service.running() for service in self._beside.values()) or super().running()

    def services(self) -> tuple[ServiceState, ...]:
        """All services by name."""
        found = super().services()
        mine = [each for each in self._beside.values() if each.running() or (found and each.wanted())]
        return tuple(sorted((*found, *(each.state() for each in mine)), key=lambda state: state.name))

    def watch(self) -> EmbeddedWatch:
        """The role monitor on loopback, and the processes of the server."""
        password, cluster = Vault(self._project.secrets).password, self._cluster()
        address = (LOOPBACK, self._ports.postgres)
        return EmbeddedWatch(
            self._runner,
            cluster.server.program("psql"),
            address,
            lambda: password("monitor_password"),
            cluster.data / "postmaster.pid",
        )

    def _log_files(self, service: str | None) -> list[Path]:
        if service and service in self._beside:
            return [self._beside[service].log()]
        others = super()._log_files(service)
        return others if service else [*others, *(e.log() for e in self._beside.values() if e.log().exists())]
