"""Slow down a process of this machine: let it run for a part of each short moment."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stackctl.engine.base import Share
from stackctl.engine.beside import beside

# Shorter than anybody's request should wait for it, longer than a switch between processes costs.
_SECONDS = 0.05


@contextmanager
def slowed(pid: int, share: Share) -> Iterator[None]:
    """Let process `pid`, our child, run for `share` of the time for as long as the context lasts."""
    # Of another process that got its number since, this one knows nothing.
    process = os.pidfd_open(pid)
    try:
        with beside(lambda over: _alternate(process, share, over)):
            yield
    finally:
        os.close(process)


def _alternate(process: int, share: Share, over: threading.Event) -> None:
    # It may end at any moment.
    with suppress(ProcessLookupError):
        try:
            while not over.is_set():
                running = min(share(), 1.0)
                if running > 0.0:
                    signal.pidfd_send_signal(process, signal.SIGCONT)
                    over.wait(running * _SECONDS)
                if running < 1.0:
                    signal.pidfd_send_signal(process, signal.SIGSTOP)
                    over.wait((1.0 - running) * _SECONDS)
        finally:
            signal.pidfd_send_signal(process, signal.SIGCONT)
