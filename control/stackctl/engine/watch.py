"""How the exporter asks a running server: as the role monitor, one connection at a time, each query bounded."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from stackctl.engine.passfile import passfile
from stackctl.engine.query import PSQL, as_json, rows
from stackctl.engine.runner import Runner
from stackctl.errors import StackError, TimedOut, Unhealthy
from stackctl.hardware.usage import Usage, of_cgroup
from stackctl.settings.secret import Secret

_TOLD = re.compile(r"(?:psql: error|ERROR|FATAL): +(.+)$", re.DOTALL)
CGROUP = "SELECT path, content FROM stackctl.cgroup()"
# On loopback or a network of this machine; a server that has not answered by then does not answer.
_CONNECT_SECONDS = 5
# Nothing that is asked waits for a lock longer than it would take to answer.
_LOCK_SECONDS = 1
# The client gives up after the server should have.
_MORE_SECONDS = 2.0


class Watch(Protocol):
    """A server that can be asked, and what it uses of the machine."""

    def query(self, sql: str, database: str = "postgres", seconds: float = 5.0) -> list[dict[str, Any]]:
        """Rows of `sql`. Raises Unhealthy where there is no answer within `seconds`."""

    def usage(self) -> Usage:
        """CPU and memory of the server. Raises Unhealthy where nobody can tell."""


class Monitor:
    """The role monitor over TCP, through psql. Every query is read only, serial, and ended by the server itself."""

    def __init__(self, runner: Runner, psql: str, address: tuple[str, int], password: Callable[[], Secret]) -> None:
        self._runner = runner
        self._psql = psql
        self._address = address
        self._password = password
        # The role has few connections, and others need them.
        self._one = threading.Lock()

    def query(self, sql: str, database: str = "postgres", seconds: float = 5.0) -> list[dict[str, Any]]:
        """Rows of `sql`. Raises Unhealthy."""
        host, port = self._address
        login = ("-h", host, "-p", str(port), "-U", "monitor", "-w", "-d", database)
        with self._one, passfile(Path("/tmp"), self._password(), None) as file:  # noqa: S108 - mode 0600, for a moment
            variables = {
                "PGPASSFILE": str(file),
                "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
                "PGAPPNAME": "stackctl exporter",
                "PGOPTIONS": _options(seconds),
                "LC_ALL": "C.UTF-8",
            }
            try:
                done = self._runner.run(
                    [self._psql, *PSQL, *login, "-c", as_json(sql)],
                    cwd=Path("/"),
                    env=variables,
                    clean=True,
                    timeout=seconds + _CONNECT_SECONDS + _MORE_SECONDS,
                    quiet=True,
                )
            except StackError as error:
                raise Unhealthy(_reason(error), hint="stackctl logs postgres") from error
        return rows(done.stdout)

    def usage(self) -> Usage:
        """By the cgroup of the server's container, which the server reads for us."""
        return container_usage(self.query)


class ByAdministrator:
    """The administrator's own way, for a command that is run by hand on the machine."""

    def __init__(self, query: Callable[..., list[dict[str, Any]]]) -> None:
        self._query = query

    def query(self, sql: str, database: str = "postgres", seconds: float = 5.0) -> list[dict[str, Any]]:
        """Rows of `sql`, within the time that any query of a command has. Raises Unhealthy."""
        return self._query(sql, database)

    def usage(self) -> Usage:
        """By the cgroup of the server's container."""
        return container_usage(self._query)


def container_usage(query: Callable[[str], list[dict[str, Any]]]) -> Usage:
    """What the server reads of its container's cgroup. Raises Unhealthy."""
    try:
        found = of_cgroup({row["path"]: row["content"] for row in query(CGROUP)})
    except (KeyError, ValueError) as error:
        raise Unhealthy(f"the files of the cgroup are not understood: {error}", hint="report this") from error
    if found is None:
        raise Unhealthy(
            "the database's container does not see a cgroup of its own",
            hint="Docker's default namespace for cgroups shows it; see dockerd --default-cgroupns-mode",
        )
    return found


def _options(seconds: float) -> str:
    settings = {
        "statement_timeout": f"{seconds * 1000:.0f}",
        "lock_timeout": f"{_LOCK_SECONDS * 1000}",
        "default_transaction_read_only": "on",
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _reason(error: StackError) -> str:
    """In the server's own words, without the command line, which is the same each time."""
    if isinstance(error, TimedOut):
        return "PostgreSQL does not answer in time"
    told = _TOLD.search(str(error))
    return told[1] if told else str(error)
