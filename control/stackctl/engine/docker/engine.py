"""The Docker engine: the rendered Compose file, run by `docker compose`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.docker import argv, containers, images, place
from stackctl.engine.project import Project
from stackctl.engine.query import as_json, rows
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import EngineFailed, NoEngine, ProfileError, StackError, TimedOut, Unhealthy
from stackctl.hardware.model import FULL_BUILD
from stackctl.render.manifest import Target
from stackctl.settings.model import Ports
from stackctl.settings.vault import Vault
from stackctl.sizing.model import Sizing

_CLEAR_LINE = "\x1b[2K"


class DockerEngine:
    """Runs the stack in containers. Life cycle by `docker compose`, states by the engine's API."""

    name = "docker"

    def __init__(self, project: Project, runner: Runner, postgres: int, ports: Ports, source: str) -> None:
        self._project = project
        self._runner = runner
        self._postgres = postgres
        self._ports = ports
        self._source = source
        self._supply: images.Supply | None = None

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """Every wanted service that the image source has."""
        self._supply = images.supply(self._source, self._postgres, tuple(wanted))
        services = tuple(service for service in wanted if service in self._supply.images)
        return Deployment(Target.COMPOSE, place.place_of(self._postgres), services, FULL_BUILD, self._supply.missing)

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """Images, published ports, secrets by name, and what this engine's version allows."""
        vault = Vault(self._project.secrets)
        return {
            **place.extra(sizing, self._ports, self._supplied().references(), containers.engine_version()),
            "secrets": place.secret_names(sizing, deployment.services),
            "secrets_folder": "../secrets",
            "fingerprint": vault.fingerprint() if self._project.secrets.is_dir() else "",
        }

    def prepare(self, deployment: Deployment, note: Note) -> None:
        """Have the images here; refuse data that was made under other secrets."""
        if containers.engine_version() is None:
            raise NoEngine("Docker Engine does not answer", hint="start it, or use --engine embedded")
        volume = containers.foreign_volume(self._project.name, Vault(self._project.secrets).fingerprint())
        if volume:
            raise ProfileError(
                f"volume {volume} was made with other secrets than those in {self._project.secrets}",
                hint="restore that folder, or set another name in stackctl.yaml",
            )
        images.ensure(self._supplied(), self._runner, note)

    def start(self, deployment: Deployment, sizing: Sizing, changed: Sequence[str], timeout: float, note: Note) -> None:
        """`docker compose up --wait`, then restarts for files that Compose does not look into."""
        broken = [state.name for state in self.services() if state.name in changed and state.health == "unhealthy"]
        if broken:
            # What failed under earlier files would end the wait before these are read.
            self._compose("restart", *broken)
        before = {state.name: state.started_at for state in self.services()}
        lasting = [service for service in deployment.services if service != "migrate"]
        self._up(argv.up(lasting, int(timeout)), timeout, note)
        after = {state.name: state.started_at for state in self.services()}
        stale = [service for service in changed if before.get(service) and before[service] == after.get(service)]
        if stale:
            self._compose("restart", *stale)
            self._up(argv.up(lasting, int(timeout)), timeout, note)
        self._compose(*argv.psql("postgres", "-f", f"{place.CONFIG}/postgres/provision.sql"), quiet=True)

    def reload(self) -> None:
        """SIGHUP to the server, where it runs.

        Not by `docker kill`: after any signal of its own the engine no longer restarts a container that crashes.
        """
        with suppress(EngineFailed):
            self._compose("exec", "-T", "postgres", "sh", "-c", "kill -HUP 1")

    def stop(self, note: Note) -> None:
        """Remove containers and networks; volumes stay."""
        self._compose(*argv.down(destroy=False), timeout=600)

    def destroy(self, note: Note) -> None:
        """Remove the volumes too."""
        self._compose(*argv.down(destroy=True), timeout=600)

    def running(self) -> bool:
        """Whether any container of the project runs."""
        return containers.engine_version() is not None and containers.any_running(self._project.name)

    def services(self) -> tuple[ServiceState, ...]:
        """States and health as the engine tells them."""
        return containers.service_states(self._project.name)

    def query(self, sql: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator, inside the database's container."""
        try:
            done = self._compose(*argv.psql(database, "-c", as_json(sql)), quiet=True)
        except StackError as error:
            raise Unhealthy(f"PostgreSQL does not answer: {error}", hint="stackctl logs postgres") from error
        return rows(done.stdout)

    def logs(self, service: str | None, tail: int) -> Iterator[str]:
        """The last lines of one service, or of all."""
        words = [
            "logs",
            "--no-color",
            "--tail",
            str(tail),
            *(["--no-log-prefix", service] if service else []),
        ]
        for line in self._compose(*words, quiet=True).stdout.splitlines():
            # Compose clears the terminal's line even where there is none, whatever --ansi says.
            yield line.removeprefix(_CLEAR_LINE)

    def follow(self, service: str | None) -> int:
        """Print lines as they come."""
        return self._runner.follow(self._argv("logs", "--follow", "--tail", "10", *([service] if service else [])))

    def _supplied(self) -> images.Supply:
        assert self._supply is not None, "deployment() comes first"  # noqa: S101
        return self._supply

    def _argv(self, *words: str) -> list[str]:
        return argv.compose(self._project.name, self._project.rendered, *words)

    def _compose(self, *words: str, quiet: bool = False, timeout: float = 300) -> Completed:
        return self._runner.run(self._argv(*words), timeout=timeout, quiet=quiet)

    def _up(self, words: Sequence[str], timeout: float, note: Note) -> None:
        """Run `up` while telling what it waits for."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done, note), daemon=True)
        watcher.start()
        began = time.monotonic()
        try:
            self._compose(*words, timeout=timeout + 120)
        except EngineFailed as error:
            waiting = [state.name for state in self.services() if state.health != "healthy"]
            if time.monotonic() - began >= timeout or "timeout" in str(error):
                raise TimedOut(
                    f"{', '.join(waiting)} not healthy within {timeout:.0f} s",
                    hint="stackctl logs; --timeout gives it longer",
                ) from error
            raise
        finally:
            done.set()
            watcher.join(10)

    def _watch(self, done: threading.Event, note: Note) -> None:
        told = ""
        while not done.wait(2):
            waiting = ", ".join(sorted(s.name for s in self.services() if s.health != "healthy"))
            if waiting and waiting != told:
                note(f"waiting for {waiting}")
                told = waiting
