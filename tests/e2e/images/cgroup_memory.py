"""What a container holds that the kernel cannot take back, read on the host from its cgroup and its processes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from e2e.images.docker_client import Docker

_ROOT = Path("/sys/fs/cgroup")
# What cgroup version 2 and version 1 call the same.
_ANON, _SHMEM = ("anon", "total_rss"), ("shmem", "total_shmem")


@dataclass(frozen=True)
class Held:
    """Bytes that cannot be reclaimed: private memory, shared memory, and the page tables of both."""

    anon: int
    shmem: int
    page_tables: int

    @property
    def total(self) -> int:
        return self.anon + self.shmem + self.page_tables


@dataclass(frozen=True)
class Cgroup:
    """The memory cgroup of one container; both versions of the interface, since hosts have either."""

    path: Path

    @classmethod
    def of(cls, docker: Docker, name: str) -> Cgroup:
        """The cgroup that the container's first process is in."""
        pid = docker.state(name, "{{.State.Pid}}")
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                return cls(_ROOT / "memory" / path.lstrip("/"))
            if number == "0" and (_ROOT / "cgroup.controllers").exists():
                return cls(_ROOT / path.lstrip("/"))
        raise LookupError(f"no memory cgroup of {name} (process {pid})")

    def held(self) -> Held:
        """What is held now."""
        stat = _pairs(self.path / "memory.stat")
        tables = stat["pagetables"] if "pagetables" in stat else self._page_tables()
        return Held(_either(stat, _ANON), _either(stat, _SHMEM), tables)

    def oom_kills(self) -> int:
        """How often the kernel has killed a process of this container for its limit."""
        events = self.path / "memory.events"
        return _pairs(events if events.exists() else self.path / "memory.oom_control")["oom_kill"]

    def _page_tables(self) -> int:
        """Of all processes that live; version 1 does not count them by themselves."""
        return sum(_page_tables(Path("/proc") / pid) for pid in (self.path / "cgroup.procs").read_text().split())


@dataclass
class Sampler:
    """Remembers the largest amount held, looked at ten times each second while the block runs."""

    cgroup: Cgroup
    peak: Held = Held(0, 0, 0)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def look(self) -> None:
        """Take one sample."""
        try:
            now = self.cgroup.held()
        except OSError:  # the container has ended
            return
        self.peak = max(self.peak, now, key=lambda held: held.total)

    def _run(self) -> None:
        while not self._end.wait(0.1):
            self.look()

    def __enter__(self) -> Sampler:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread:
            self._thread.join()


def _pairs(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in path.read_text().splitlines())}


def _either(stat: dict[str, int], names: tuple[str, str]) -> int:
    return next(stat[name] for name in names if name in stat)


def _page_tables(process: Path) -> int:
    try:
        status = (process / "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # A process that has just died has no such line.
    lines = [line.split() for line in status.splitlines() if line.startswith("VmPTE:")]
    return int(lines[0][1]) * 1024 if lines else 0
