"""The lock of a repository: one that changes it, or many that only read."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stackctl.engine.inside.container import container
from stackctl.errors import Locked

_CONTAINER = re.compile(r" in container ([0-9A-Za-z_.-]+)\)$")


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock alone, across processes and containers; it ends with its process.

    Raises Locked at once where another run has it.
    """
    with _opened(path) as descriptor:
        _take(descriptor, fcntl.LOCK_EX, path)
        os.ftruncate(descriptor, 0)
        _sign(descriptor, what)
        yield


@contextmanager
def shared(path: Path, what: str, tidy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock beside others that read too. Whoever finds nobody else calls `tidy` before it lets others in.

    Raises Locked at once where a run that changes something has it.
    """
    with _opened(path) as descriptor:
        if _try(descriptor, fcntl.LOCK_EX):
            os.ftruncate(descriptor, 0)
            tidy()
        # The kernel lets go of the one lock before it gives the other: somebody may come in between, and is told.
        _take(descriptor, fcntl.LOCK_SH, path)
        _sign(descriptor, what)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sign(descriptor: int, what: str) -> None:
    # A container counts its processes by itself: on the machine the number is that of another one.
    where = f" in container {name}" if (name := container()) else ""
    os.write(descriptor, f"{what} (process {os.getpid()}{where})\n".encode())


def _take(descriptor: int, kind: int, path: Path) -> None:
    if not _try(descriptor, kind):
        holders = os.pread(descriptor, 1000, 0).decode(errors="replace").split("\n")[:-1] or ["another run"]
        verb = "is" if len(holders) == 1 else "are"
        raise Locked(f"{' and '.join(holders)} {verb} at work in {path.parent}", hint=_hint(holders))


def _hint(holders: Sequence[str]) -> str:
    wait = "wait for it to end, then run this again"
    names = sorted({match[1] for holder in holders if (match := _CONTAINER.search(holder))})
    if not names:
        return wait
    # The scheduler's is the only one in which anything takes a lock.
    stop = "; ".join(f"docker stop {name} ends it with the stack's scheduler, docker start {name}" for name in names)
    return f"{wait}; or, where this cannot wait: {stop} starts that again"


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
