"""Supervisord: start it, ask it, and clean up what a killed one left behind."""

from __future__ import annotations

import http.client
import os
import signal
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stackctl.engine.embedded.home import Home
from stackctl.engine.logs import tail_files
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, TimedOut

MARK = "STACKCTL_HOME"
_SERVICE = b"STACKCTL_SERVICE="


class Supervisor:
    """The supervisor of one home. Its socket answers only the user it runs as, and root."""

    def __init__(self, home: Home, runner: Runner) -> None:
        self._home = home
        self._runner = runner

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._call("supervisor.getState"))
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return False

    def launch(self, python: str) -> None:
        """Start it with the rendered configuration; it goes into the background by itself."""
        config = str(self._home.config / "supervisord.conf")
        self._runner.run(
            [python, "-m", "supervisor.supervisord", "-c", config],
            user=self._home.user,
            cwd=self._home.work,
            env={MARK: str(self._home.root)},
            clean=True,
            timeout=60,
        )
        _wait(self.alive, 15, "supervisord to answer")

    def processes(self) -> dict[str, dict[str, Any]]:
        """State of each program by name; empty where supervisord is not there."""
        try:
            return {info["name"]: info for info in self._call("supervisor.getAllProcessInfo")}
        except (OSError, http.client.HTTPException):
            return {}

    def reread(self) -> tuple[str, ...]:
        """Take over a changed configuration: stop what went or changed, add what came; gives back what was stopped."""
        added, changed, removed = self._call("supervisor.reloadConfig")[0]
        for group in (*changed, *removed):
            self._call("supervisor.stopProcessGroup", group)
            self._call("supervisor.removeProcessGroup", group)
        for group in (*added, *changed):
            self._call("supervisor.addProcessGroup", group)
        return (*changed, *removed)

    def restart(self, name: str) -> None:
        """Stop a program and start it again."""
        self._quietly("supervisor.stopProcess", name)
        self._quietly("supervisor.startProcess", name, False)

    def run_once(self, name: str, logs: Path, deadline: float) -> None:
        """Run a program to its end. Raises EngineFailed with the last lines of its log where that is not a good one."""
        log = logs / f"{name}.log"
        known = log.stat().st_size if log.exists() else 0
        self.restart(name)
        while (info := self.processes()[name])["statename"] in ("STARTING", "RUNNING", "STOPPING"):
            if time.monotonic() > deadline:
                self._quietly("supervisor.stopProcess", name)
                raise TimedOut(f"{name} has not ended in time", hint=f"stackctl logs {name}; --timeout gives it longer")
            time.sleep(0.1)
        if info["statename"] != "EXITED" or info["exitstatus"] != 0:
            said = [line for line in tail_files([log], 3) if line.strip()] if _grown(log, known) else []
            reason = said[-1].strip() if said else info["spawnerr"] or f"exit status {info['exitstatus']}"
            raise EngineFailed(f"{name} failed: {reason}", hint=f"stackctl logs {name}")

    def reload(self, name: str) -> None:
        """SIGHUP to a program, if it runs."""
        self._quietly("supervisor.signalProcess", name, "HUP")

    def shut_down(self, order: tuple[str, ...]) -> None:
        """Stop the programs in `order`, the others after them, then supervisord itself."""
        running = list(self.processes())
        for name in sorted(running, key=lambda n: order.index(n) if n in order else len(order)):
            self._quietly("supervisor.stopProcess", name)
        self._quietly("supervisor.shutdown")
        _wait(lambda: not orphans(self._home), 30, "supervisord to end")

    def _quietly(self, method: str, *arguments: Any) -> None:
        try:
            self._call(method, *arguments)
        except xmlrpc.client.Fault as fault:
            if not fault.faultString.startswith(
                ("NOT_RUNNING", "ALREADY_STARTED", "SPAWN_ERROR", "ABNORMAL_TERMINATION")
            ):
                raise EngineFailed(
                    f"supervisord: {fault.faultString}", hint="stackctl logs shows its services' logs"
                ) from fault

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        socket = self._home.run / "supervisor.sock"
        transport = SupervisorTransport(None, None, f"unix://{socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport) as proxy:
            return getattr(proxy, method)(*arguments)


def _grown(log: Path, known: int) -> bool:
    return log.exists() and log.stat().st_size != known


def orphans(home: Home) -> dict[int, str]:
    """Processes of this home, by id: those that carry its mark, and a postmaster on its data."""
    found = dict(_marked(home))
    for pid_file in (home.root / "data").glob("*/postmaster.pid"):
        pid = int(pid_file.read_text().split("\n", 1)[0] or 0)
        if pid and _folder_of(pid) == pid_file.parent.resolve():
            found[pid] = "postgres"
    return found


def end_orphans(home: Home) -> tuple[str, ...]:
    """End what a killed supervisord left running, the database last and cleanly; gives back their names."""
    found = orphans(home)
    others = {pid: name for pid, name in found.items() if name != "postgres"}
    _end(others, signal.SIGTERM, 40)
    _end({pid: name for pid, name in orphans(home).items() if name == "postgres"}, signal.SIGINT, 300)
    return tuple(sorted(set(found.values())))


def _end(processes: dict[int, str], first: signal.Signals, seconds: float) -> None:
    for pid in processes:
        _signal(pid, first)
    try:
        _wait(lambda: not any(_alive(pid) for pid in processes), seconds, "left-over processes to end")
    except TimedOut:
        for pid in processes:
            _signal(pid, signal.SIGKILL)
        _wait(lambda: not any(_alive(pid) for pid in processes), 10, "killed processes to end")


def _marked(home: Home) -> Iterator[tuple[int, str]]:
    mark = f"{MARK}={home.root}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables:
            names = [v.removeprefix(_SERVICE) for v in variables if v.startswith(_SERVICE)]
            yield int(entry.name), names[0].decode() if names else "supervisord"


def _folder_of(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except OSError:
        return None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimedOut(f"waited {seconds:.0f} s for {what}", hint="stackctl logs shows why")
        time.sleep(0.05)
