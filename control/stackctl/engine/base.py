"""What every engine can do: one protocol for Docker Compose and for embedded processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stackctl.engine.ballast import Ballast
from stackctl.engine.generation import DataPlaces
from stackctl.engine.runner import Completed
from stackctl.engine.watch import Watch
from stackctl.hardware.model import Build
from stackctl.render.manifest import Target
from stackctl.render.model import Place
from stackctl.sizing.model import Sizing
from stackctl.units import Bytes

Note = Callable[[str], None]
# A part of full speed, from 0 to 1, asked for again and again.
Share = Callable[[], float]


@dataclass(frozen=True)
class ServiceState:
    """One service as the engine sees it. `health` is healthy, starting, unhealthy or none."""

    name: str
    state: str
    health: str
    version: str = ""
    address: str = ""
    memory: Bytes | None = None
    cpus: float | None = None
    started_at: str | None = None


@dataclass(frozen=True)
class Deployment:
    """What an engine renders for: the place, the services it can supply, the build, and why a service is missing.

    `pooler_prepares` says whether its PgBouncer, where it has one, carries prepared statements.
    """

    target: Target
    place: Place
    services: tuple[str, ...]
    build: Build
    missing: Mapping[str, str] = field(default_factory=dict)
    pooler_prepares: bool = True


class Throwaway(Protocol):
    """A server on a copy of the data, that nobody reaches but us."""

    def query(self, sql: str, database: str = "postgres", timeout: float = 60) -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator. Raises Unhealthy where it does not answer."""

    def run(self, program: str, *arguments: str, check: bool = True, timeout: float = 60) -> Completed:
        """Run a client program on it, as the administrator."""

    def log(self) -> str:
        """What it wrote."""


class Programs(Protocol):
    """PostgreSQL's own programs, of the stack's version, run by the account that owns the database's files."""

    def run(
        self,
        program: str,
        *arguments: str,
        folders: Sequence[Path] = (),
        check: bool = True,
        timeout: float = 60,
        quiet: bool = False,
    ) -> Completed:
        """Run `program` to its end with `folders`, and nothing else of the host's, to read and write.

        `quiet` is for what changes nothing.
        """

    def with_repository(self) -> Programs:
        """The same, with the repository of pgBackRest in reach. Raises ProfileError where there is no such program."""

    def gentle(self, memory: Bytes) -> Programs:
        """The same, with at most one CPU and `memory` for each container.

        Processes of this machine have the limits of the process that starts them.
        """

    def paced(self, share: Share) -> Programs:
        """The same, each run slowed down to `share` of its speed while it goes on."""

    def login(self) -> tuple[str, ...]:
        """Options that lead a client program to the running database, as the role backup."""

    def claim(self, folder: Path) -> None:
        """Make `folder`, if need be, and give it to the account, closed to others."""

    def own(self, path: Path) -> None:
        """Give `path`, with all below it, to the account."""

    def serve(
        self, data: Path, settings: Mapping[str, str], folders: Sequence[Path], timeout: float
    ) -> AbstractContextManager[Throwaway]:
        """Start a server on `data` with `settings` before all others, and stop it cleanly at the end.

        Where `settings` and recovery.signal ask for recovery, it is over when the server takes connections. Raises
        EngineFailed with the server's own words where it does not start, DamagedCopy where that is for its files,
        TimedOut after `timeout` seconds.
        """

    def end_strays(self, folders: Sequence[Path]) -> None:
        """End what a run that was killed left at work in `folders`, which nobody else works in."""

    def end_orphans(self) -> bool:
        """End all that runs that were killed left at work, in folders or not; whether there was any.

        Only under the lock. Without containers there is nothing that is not found by its folders.
        """

    def at_hand(self) -> bool:
        """Whether they can be run with nothing fetched or made before."""

    def passes(self, folder: Path) -> bool:
        """Whether the account can pass through `folder`, which is there."""

    def group(self) -> int:
        """The group that must be able to pass through the folders above; -1 where any will do."""


class Engine(Protocol):
    """A way to run the stack. Methods raise StackError with the engine's own words."""

    name: str

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """The place and the services that can be supplied; raises ImageUnavailable where PostgreSQL cannot."""

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """What this engine's own templates need besides."""

    def prepare(self, deployment: Deployment, note: Note) -> None:
        """Have everything at hand before the running stack is touched: images, programs, accounts."""

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """Bring the services to the rendered files and wait until healthy. `changed` names services to restart."""

    def reload(self) -> None:
        """Let the server read its configuration again; by a signal, as it may refuse to be logged in to."""

    def data_place(self) -> Path:
        """A path on the disk that holds the data."""

    def places(self) -> DataPlaces:
        """Where the generations of the data are."""

    def ballast(self) -> Ballast:
        """The room that is held back on the disk of the data."""

    def stop(self, note: Note) -> None:
        """Stop all services; data stays."""

    def destroy(self, note: Note) -> None:
        """Remove the stopped stack's data. Only called after the project's name was typed."""

    def running(self) -> bool:
        """Whether any service of this project runs."""

    def services(self) -> tuple[ServiceState, ...]:
        """All services that should run, as they are now."""

    def outdated(self) -> tuple[str, ...]:
        """Services that run other programs than their files name by now, although the files are the same."""

    def query(self, sql: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator; raises Unhealthy where the server does not answer."""

    def watch(self) -> Watch:
        """The server as the exporter asks it, for as long as it runs."""

    def programs(self) -> AbstractContextManager[Programs]:
        """PostgreSQL's programs, with the password of the role backup at hand for as long as the context lasts."""

    def beside(self, argv: Sequence[str], timeout: float, *, looking: bool = False) -> Completed:
        """Run a program with the running server's files, socket and account to its end, whatever its exit status.

        It ends with us, and all others of ours with it where it takes too long, unless it is only `looking` at what
        another one does. Raises ProfileError where the engine cannot.
        """

    def repository(self) -> Path:
        """The folder of the backups: the project's, or the engine's own place."""

    def logs(self, service: str | None, tail: int) -> Iterator[str]:
        """The last `tail` lines of one service, or of all."""

    def follow(self, service: str | None, tail: int) -> Iterator[str]:
        """The last `tail` lines, then new ones as they come, without end."""
