"""Slow down a container that runs: a limit on its CPU that changes while it does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stackctl.engine.base import Share
from stackctl.engine.beside import beside
from stackctl.engine.runner import Runner
from stackctl.errors import StackError

_SECONDS = 0.5
# A copy at full speed takes nearly a CPU. With less than this it would be long in coming to log in.
_LEAST = 0.02


def cpus(share: Share) -> str:
    """The limit for this moment."""
    return f"{max(_LEAST, min(share(), 1.0)):.2f}"


@contextmanager
def slowed(name: str, share: Share, runner: Runner) -> Iterator[None]:
    """Give container `name` only `share` of a CPU, for as long as the context lasts."""
    with beside(lambda over: _follow(name, share, runner, over)):
        yield


def _follow(name: str, share: Share, runner: Runner, over: threading.Event) -> None:
    given = ""
    while not over.wait(_SECONDS):
        wanted = cpus(share)
        if wanted != given:
            limit = ["docker", "update", "--cpus", wanted, name]
            # A container that is not there yet, or no more, is tried again; so is an engine that does not answer.
            with suppress(StackError, OSError):
                if runner.run(limit, check=False, quiet=True, timeout=60).returncode == 0:
                    given = wanted
