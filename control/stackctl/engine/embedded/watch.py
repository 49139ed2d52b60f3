"""The embedded server as the exporter asks it: over loopback, and by its processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stackctl.engine.runner import Runner
from stackctl.engine.watch import Monitor
from stackctl.errors import Unhealthy
from stackctl.hardware.process_tree import ProcessTree
from stackctl.hardware.usage import Usage
from stackctl.settings.secret import Secret


class EmbeddedWatch(Monitor):
    """The role monitor, and the tree of processes below the one that `pid_file` names."""

    def __init__(
        self, runner: Runner, psql: str, address: tuple[str, int], password: Callable[[], Secret], pid_file: Path
    ) -> None:
        super().__init__(runner, psql, address, password)
        self._pid_file = pid_file
        self._tree = ProcessTree()

    def usage(self) -> Usage:
        """By the processes: there is no container, and nothing that limits them. Raises Unhealthy."""
        try:
            pid = int(self._pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError) as error:
            raise Unhealthy(f"{self._pid_file}: no server has written its number there", hint="stackctl up") from error
        found = self._tree.usage(pid)
        if found is None:
            raise Unhealthy(f"{self._pid_file} names process {pid}, which is gone", hint="stackctl logs postgres")
        return found
