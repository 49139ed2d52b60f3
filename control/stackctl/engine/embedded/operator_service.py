"""Scheduler and observer of an embedded stack: each with a supervisor of its own, that runs as the operator."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from stackctl.engine.base import ServiceState
from stackctl.engine.beat import BEAT, FOLDER, beats
from stackctl.engine.embedded import probes
from stackctl.engine.embedded.home import Home, run_folder
from stackctl.engine.embedded.processes import family_memory
from stackctl.engine.embedded.supervisor import Supervisor, end_orphans, orphans
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError, TimedOut
from stackctl.render.model import Address

SCHEDULER, OBSERVER = FOLDER, "observer"
_WORDS = {SCHEDULER: ("backup", "schedule", "--run"), OBSERVER: ("exporter", "--listen")}


class OperatorService:
    """Its files are below the project's own folder, where the services' account has no way to.

    `address` is where it answers; a service without one gives its sign of life by a file.
    """

    def __init__(self, project: Project, runner: Runner, name: str, address: Address | None = None) -> None:
        root = project.private / name
        self.name = name
        self._address = address
        self._project = project
        self._home = Home(root, project.rendered / name, project.secrets, run_folder(root), None)
        self._supervisor = Supervisor(self._home, runner)

    def wanted(self) -> bool:
        """Whether the rendered files have one."""
        return (self._home.config / "supervisord.conf").exists()

    def start(self, restart: bool, deadline: float) -> None:
        """Start it where it does not run, or with `restart` anew, and wait for its first sign of life."""
        if restart:
            self.stop()
        if not self._supervisor.alive():
            end_orphans(self._home)
            self._make_folders()
            (self._home.root / BEAT).unlink(missing_ok=True)
            self._supervisor.launch(sys.executable)
        while not self.healthy():
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"the {self.name} does not start", hint=f"stackctl logs {self.name}; --timeout waits longer"
                )
            time.sleep(0.1)

    def stop(self) -> bool:
        """Stop it, and the job that it runs; whether there was one."""
        there = self.running()
        if self._supervisor.alive():
            self._supervisor.shut_down((self.name,))
        end_orphans(self._home)
        return there

    def remove(self) -> None:
        """Remove what it keeps."""
        for folder in (self._home.root, self._home.run):
            shutil.rmtree(folder, ignore_errors=True)

    def running(self) -> bool:
        """Whether it, its supervisor or one of its jobs is there."""
        return self._supervisor.alive() or bool(orphans(self._home))

    def healthy(self) -> bool:
        """Whether it runs and gives signs of life."""
        info = self._supervisor.processes().get(self.name, {})
        if info.get("statename") not in ("RUNNING", "STARTING"):
            return False
        return probes.answers(self._address, probes.PATHS[self.name]) if self._address else beats(self._home.root)

    def state(self) -> ServiceState:
        """As its supervisor tells, and its own sign of life."""
        info = self._supervisor.processes().get(self.name, {})
        fine, pid = self.healthy(), info.get("pid", 0)
        state = "running" if fine else str(info.get("statename", "dead")).lower()
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(info["start"])) if pid else None
        memory = family_memory(pid) if pid else None
        return ServiceState(
            self.name, state, "healthy" if fine else "unhealthy", "", str(self._address or ""), memory, None, since
        )

    def log(self) -> Path:
        """What it and its jobs wrote."""
        return self._home.logs / f"{self.name}.log"

    def values(self) -> Mapping[str, object]:
        """What its configuration needs."""
        program = [sys.executable, "-m", "stackctl", "--project", str(self._project.folder), "--no-color"]
        where = [str(self._address)] if self._address else []
        return {
            "name": self.name,
            "command": [*program, *_WORDS[self.name], *where],
            "logs": str(self._home.logs),
            "run": str(self._home.run),
            "work": str(self._home.work),
        }

    def _make_folders(self) -> None:
        for folder in (self._home.root, self._home.work, self._home.logs, self._home.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self._home.run.lstat()
        if owner.st_uid != self._home.root.stat().st_uid or owner.st_mode & 0o077:
            raise ProfileError(
                f"{self._home.run} belongs to somebody else", hint="use a project folder with a shorter path"
            )
