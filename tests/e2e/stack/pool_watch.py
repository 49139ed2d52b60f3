"""What the app's pools, sessions and processes look like from outside, while a stack is loaded or hurt."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
import psutil

from running_stack import Stack, docker

# Long enough for a statement between two others of the same transaction, too short for anything that waits.
_A_MOMENT_SECONDS = 1


def metric(stack: Stack, name: str) -> float:
    """The sum of a metric's samples."""
    lines = stack.get("metrics", "/metrics").text.splitlines()
    found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def most_connections(stack: Stack) -> int:
    """How many connections the app may have, as sized."""
    return int(stack.run("size", "--json").data["connections"]["app_total"])


def root_process(stack: Stack, service: str) -> int:
    """The process id, on this machine, of the postmaster or of the app's first process."""
    if stack.engine == "docker":
        return int(docker("inspect", "--format", "{{.State.Pid}}", stack.container(service)).out)
    (found,) = (pid for pid, kind in stack.masters().items() if kind == service)
    return found


def gunicorn(stack: Stack) -> psutil.Process:
    """gunicorn's master; in a container its parent is an init."""
    root = psutil.Process(root_process(stack, "app"))
    if stack.engine == "embedded":
        return root
    (child,) = root.children()
    return child


def workers(stack: Stack) -> list[int]:
    return sorted(child.pid for child in gunicorn(stack).children())


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all its children, ended ones too."""
    root = psutil.Process(pid)
    times = root.cpu_times()
    total = float(times.user + times.system + times.children_user + times.children_system)
    for child in root.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            own = child.cpu_times()
            total += own.user + own.system
    return total


def sessions(stack: Stack) -> list[str]:
    """The states of the app's sessions; one that is idle in a transaction for more than a moment is `stuck`."""
    stuck = f"state LIKE 'idle in transaction%' AND now() - state_change > interval '{_A_MOMENT_SECONDS} s'"
    query = f"SELECT CASE WHEN {stuck} THEN 'stuck' ELSE coalesce(state, 'starting') END FROM pg_stat_activity"
    return stack.sql(f"{query} WHERE usename = 'app' AND datname = 'app'", "postgres").splitlines()


def sessions_begun(stack: Stack) -> int:
    """How many sessions the app's database ever had; asked from another one, so that asking is not counted."""
    return int(stack.sql("SELECT sessions FROM pg_stat_database WHERE datname = 'app'", "postgres"))


def pool_is_idle(stack: Stack) -> bool:
    """Every connection is back, added ones are closed, and the server has no more sessions than the pools."""
    with suppress(httpx.TransportError):
        gauges = {name: metric(stack, f"app_db_pool_{name}") for name in ("size", "checked_out", "idle", "overflow")}
        idle = gauges["checked_out"] == gauges["overflow"] == 0 and 0 < gauges["idle"] <= gauges["size"]
        return idle and set(found := sessions(stack)) == {"idle"} and len(found) <= gauges["size"]
    return False


def stored(stack: Stack, prefix: str) -> set[str]:
    return set(stack.sql(f"SELECT name FROM tools WHERE name LIKE '{prefix} %'").splitlines())


@dataclass
class Watch:
    """Samples the app's sessions every half second until its block ends."""

    stack: Stack
    most: int = 0
    stuck: int = 0
    samples: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: Any = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            found = sessions(self.stack)
            self.most = max(self.most, len(found))
            self.stuck += found.count("stuck")
            self.samples += 1
