"""Debian 13's programs of monitoring for the embedded engine, out of the images that are built from its packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from running_stack import docker
from stackctl.engine.docker import images
from stackctl.engine.runner import Runner

PROGRAMS = {
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "exporter": "prometheus-postgres-exporter",
}
# Where Debian's Alertmanager finds the texts of messages that it does not carry itself.
TEXTS = Path("/usr/share/prometheus/alertmanager")


@dataclass(frozen=True)
class MonitoringPrograms:
    """A folder with a folder for each service, filled when it is first asked for."""

    folder: Path
    ending: ExitStack

    def path(self, *services: str) -> str:
        """A PATH with the programs of these services, and of no other that this machine has not itself."""
        missing = [service for service in services if not (self.folder / service).exists()]
        if missing:
            supply = images.supply("debian", 17, tuple(missing))
            images.ensure(supply, Runner(), print)
            for service in missing:
                self._fetch(service, supply.images[service].reference)
        return ":".join([*(str(self.folder / service) for service in services), os.environ["PATH"]])

    def _fetch(self, service: str, image: str) -> None:
        container = docker("create", image).out.strip()
        try:
            (self.folder / service).mkdir()
            self._copy(f"{container}:/usr/bin/{PROGRAMS[service]}", self.folder / service)
            if service == "alertmanager" and not TEXTS.exists():
                TEXTS.parent.mkdir(parents=True, exist_ok=True)
                self.ending.callback(shutil.rmtree, TEXTS)
                self._copy(f"{container}:{TEXTS}", TEXTS.parent)
        finally:
            docker("rm", container)

    def _copy(self, source: str, target: Path) -> None:
        done = docker("cp", "-q", source, str(target))
        assert done.code == 0, done.said


@contextmanager
def monitoring_programs() -> Iterator[MonitoringPrograms]:
    """The programs, removed in the end."""
    with ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="programs-", dir="/var/tmp"))
        ending.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        yield MonitoringPrograms(folder, ending)
