"""One run at a time: a lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.errors import Locked


@contextmanager
def locked(private: Path, command: str) -> Iterator[None]:
    """Hold the project's lock; raises Locked at once where another run has it, naming that run."""
    path = private / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = path.read_text().strip() or "another run"
            raise Locked(
                f"{holder} is at work in this project", hint="wait for it to end, then run this again"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"stackctl {command} (process {os.getpid()})\n".encode())
        yield
    finally:
        os.close(descriptor)
