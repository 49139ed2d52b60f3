"""The engine of the scheduler's container: it takes, checks and tries backups, and can do nothing else to the stack."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from stackctl.engine.ballast import Ballast
from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.programs import Server, find_server
from stackctl.engine.generation import DataPlaces
from stackctl.engine.inside.client import END_WITH_US, FEW_WORKERS, HOST, PORT, InsidePrograms, account, home
from stackctl.engine.inside.container import REPOSITORY
from stackctl.engine.passfile import passfile
from stackctl.engine.query import PSQL, QUERY_SECONDS, as_json, rows
from stackctl.engine.runner import Completed, Runner
from stackctl.engine.watch import Monitor
from stackctl.errors import NoEngine, StackError, Unhealthy
from stackctl.settings.secret import Secret
from stackctl.sizing.model import Sizing

_SECRETS = Path("/run/secrets")
# Where the observer has that volume, to read; the container's own disk may be another one than that of volumes.
ROOM = Path("/var/lib/stackctl/room")


class InsideEngine:
    """Reaches the database over the network: its statistics as the role monitor, its files as the role backup."""

    name = "inside"

    def __init__(self, runner: Runner, postgres: int) -> None:
        self._runner = runner
        self._postgres = postgres

    def query(self, sql: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Rows of `sql` as the role monitor. Raises Unhealthy where the server does not answer."""
        login = ("-h", HOST, "-p", str(PORT), "-U", "monitor", "-w", "-d", database)
        with passfile(self._home().run, _password("monitor"), account()) as file:
            try:
                done = self._runner.run(
                    [self._server().program("psql"), *PSQL, *login, "-c", as_json(sql)],
                    user=account(),
                    cwd=self._home().work,
                    env={"PGPASSFILE": str(file), "PGCONNECT_TIMEOUT": "10"},
                    clean=True,
                    timeout=QUERY_SECONDS,
                    quiet=True,
                )
            except StackError as error:
                raise Unhealthy(f"PostgreSQL does not answer: {error}", hint="stackctl logs postgres") from error
        return rows(done.stdout)

    def watch(self) -> Monitor:
        """The role monitor over the stack's network; psql runs as whoever this process is."""
        return Monitor(self._runner, self._server().program("psql"), (HOST, PORT), lambda: _password("monitor"))

    @contextmanager
    def programs(self) -> Iterator[InsidePrograms]:
        """The image's own programs."""
        with passfile(self._home().run, _password("backup"), account()) as file:
            yield InsidePrograms(self._server(), self._home(), self._runner, PORT, file)

    def beside(self, argv: Sequence[str], timeout: float, *, looking: bool = False) -> Completed:
        """A program that reads the database's files, which are mounted to be read, and asks the server by network.

        libpq takes the host from its environment where no option names a socket. Where this process is killed, the
        program is ended too: nobody would find it later.
        """
        login = {"PGHOST": HOST, "PGCONNECT_TIMEOUT": "10", "PGBACKREST_PG1_USER": "backup", **FEW_WORKERS}
        with passfile(self._home().run, _password("backup"), account()) as file:
            return self._runner.run(
                [*END_WITH_US, *argv],
                user=account(),
                cwd=self._home().work,
                env={**login, "PGPASSFILE": str(file), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                clean=True,
                check=False,
                timeout=timeout,
                quiet=looking,
            )

    def repository(self) -> Path:
        """The mounted one, under the path that it has on the host."""
        if not (told := os.environ.get(REPOSITORY)):
            raise NoEngine(f"{REPOSITORY} is not set", hint="this engine is for the scheduler's container")
        return Path(told)

    def data_place(self) -> Path:
        """The data is elsewhere; an empty volume is on the disk of its volume, or else this is the container's own."""
        return ROOM if ROOM.is_dir() else Path("/")

    def running(self) -> bool:
        """Whatever this is asked in runs."""
        return True

    def services(self) -> tuple[ServiceState, ...]:
        """None that could be seen from here."""
        return ()

    def outdated(self) -> tuple[str, ...]:
        """None that could be seen from here."""
        return ()

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """Refused."""
        _refuse()

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """Refused."""
        _refuse()

    def prepare(self, deployment: Deployment, note: Note) -> None:
        """Refused."""
        _refuse()

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """Refused."""
        _refuse()

    def reload(self) -> None:
        """Nothing: what it would hurry on, the server does by itself within a minute."""

    def ballast(self) -> Ballast:
        """Refused."""
        _refuse()

    def places(self) -> DataPlaces:
        """Refused."""
        _refuse()

    def stop(self, note: Note) -> None:
        """Refused."""
        _refuse()

    def destroy(self, note: Note) -> None:
        """Refused."""
        _refuse()

    def logs(self, service: str | None, tail: int) -> Iterator[str]:
        """Refused."""
        _refuse()

    def follow(self, service: str | None, tail: int) -> Iterator[str]:
        """Refused."""
        _refuse()

    def _server(self) -> Server:
        return find_server(self._runner, self._postgres)

    def _home(self) -> Home:
        return home(self.repository())


def _password(role: str) -> Secret:
    path = _SECRETS / f"{role}_password"
    try:
        return Secret(path.read_text().strip())
    except OSError as error:
        raise NoEngine(f"{path}: {error.strerror}", hint="this engine is for the scheduler's container") from error


def _refuse() -> NoReturn:
    raise NoEngine("the scheduler's container takes backups and nothing else", hint="run it on the machine itself")
