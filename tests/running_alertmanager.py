"""The real Alertmanager as a plain process, on the files that a stack would render for it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from configparser import RawConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from profiles import sized
from running_stack import eventually, free_ports
from stackctl.engine.base import ServiceState
from stackctl.hardware.model import PORTABLE_BUILD
from stackctl.operations.state import State, save
from stackctl.render.model import File
from stackctl.settings.alert_secrets import ensure_alert_secrets
from stackctl.settings.alerts import AlertSettings, alert_settings
from stackctl.settings.model import Ports
from stackctl.settings.project_file import load_section
from stackctl.settings.vault import Vault
from stacks import embedded_files


@dataclass
class RunningAlertmanager:
    """A project whose Alertmanager runs; it answers for the engine too."""

    project: Path
    port: int
    log: Path
    state: str = "running"

    def services(self) -> tuple[ServiceState, ...]:
        return tuple(ServiceState(name, self.state, "healthy") for name in ("alertmanager", "prometheus"))

    def logs(self, _service: str, tail: int) -> Iterator[str]:
        yield from self.log.read_text().splitlines()[-tail:]

    def send(self, *labels: dict[str, str], **annotations: str) -> None:
        """Give it alerts of the stack `shop`, as Prometheus would."""
        words = {"summary": "so it is", **annotations}
        alerts = [{"labels": {"stack": "shop", **each}, "annotations": words} for each in labels]
        assert httpx.post(f"http://127.0.0.1:{self.port}/api/v2/alerts", json=alerts).status_code == 200


@dataclass(frozen=True)
class AlertmanagerPrograms:
    """Alertmanager and amtool of this machine, by name; or those of an image, with this machine's network."""

    paths: dict[str, str]
    image: str = ""

    def argv(self, program: str, folder: Path) -> list[str]:
        """How a command line begins; the program works in `folder`."""
        if not self.image:
            return [self.paths[program]]
        options = ["--rm", "--network", "host", "--user", f"{os.geteuid()}:{os.getegid()}"]
        mounts = ["--volume", f"{folder}:{folder}", "--workdir", str(folder)]
        return ["docker", "run", *options, *mounts, "--entrypoint", self.paths[program], self.image]


def rendered(project: Path, ports: Ports, programs: dict[str, str]) -> tuple[File, ...]:
    """The files of an embedded stack for the project file in `project`, and its secrets in their folder."""
    chosen: AlertSettings = alert_settings(load_section(project / "stackctl.yaml", "alerts").keys)
    vault = Vault(project / "secrets")
    vault.directory.mkdir(mode=0o700, exist_ok=True)
    vault.ensure()
    ensure_alert_secrets(vault, chosen, project)
    return embedded_files(sized(build=PORTABLE_BUILD), project, ports=ports, alerts=chosen, programs=programs)


def written(project: Path, files: Sequence[File]) -> Path:
    """The folder with Alertmanager's files; a group waits for a moment only."""
    for file in files:
        if file.path.startswith("alertmanager/"):
            path = project / "rendered" / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content.replace(b"group_wait: 30s", b"group_wait: 1s"))
    return project / "rendered" / "alertmanager"


@contextmanager
def running_alertmanager(project: Path, programs: AlertmanagerPrograms) -> Iterator[RunningAlertmanager]:
    """Start it with the command line of the rendered supervisord.conf, and end it."""
    (port,) = free_ports(1)
    files = rendered(project, Ports(alertmanager=port), {"alertmanager": "alertmanager"})
    written(project, files)
    parser = RawConfigParser()
    parser.read_string(next(file.content.decode() for file in files if file.path == "supervisord.conf"))
    words = shlex.split(parser["program:alertmanager"]["command"].replace("%%", "%"))[1:]
    argv = [*programs.argv("alertmanager", project), *words]
    private = project / ".stackctl"
    private.mkdir(exist_ok=True)
    save(
        private, State("shop", "embedded", "", "", {"embedded": 17}, ports={"alertmanager": port}, folder=str(project))
    )
    found = RunningAlertmanager(project, port, project / "log")
    with found.log.open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=project, env={"PATH": os.environ["PATH"]})
    try:
        ready = f"http://127.0.0.1:{port}/-/ready"
        eventually(lambda: httpx.get(ready).status_code == 200, 20, f"Alertmanager is ready: see {found.log}")
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
