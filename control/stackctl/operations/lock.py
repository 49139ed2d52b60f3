"""One run at a time: a lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from stackctl.errors import Locked, unwritable


@contextmanager
def locked(private: Path, command: str) -> Iterator[None]:
    """Hold the project's lock; raises Locked at once where another run has it, naming that run."""
    path = private / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
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


def locked_if_made(private: Path, command: str) -> AbstractContextManager[None]:
    """Hold the lock where `.stackctl` exists, so that what is read under it is not a run's half-made state."""
    return locked(private, command) if private.is_dir() else nullcontext()
