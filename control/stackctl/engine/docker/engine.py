"""The Docker engine: the rendered Compose file, run by `docker compose`."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from stackctl.engine import noted
from stackctl.engine.archive_folder import TAIL, make_archive
from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.beat import FOLDER
from stackctl.engine.docker import argv, containers, images, mounts, orphans, place, repository
from stackctl.engine.docker.ballast import DockerBallast
from stackctl.engine.docker.client import DockerPrograms, database_user, operator
from stackctl.engine.docker.disk import held_disk
from stackctl.engine.docker.generations import DockerPlaces, volume_key
from stackctl.engine.passfile import passfile
from stackctl.engine.project import Project
from stackctl.engine.query import QUERY_SECONDS, as_json, rows
from stackctl.engine.runner import Completed, Runner
from stackctl.engine.watch import ByAdministrator
from stackctl.errors import EngineFailed, NoEngine, ProfileError, StackError, TimedOut, Unhealthy
from stackctl.images.builds import declared_build
from stackctl.images.public import data_mount
from stackctl.render.manifest import Target
from stackctl.render.own_app import with_app
from stackctl.render.receiver import SERVICE as RECEIVER
from stackctl.render.stack import SCHEDULER
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.settings.model import Ports
from stackctl.settings.vault import Vault
from stackctl.sizing.model import Sizing

_CLEAR_LINE = "\x1b[2K"


class DockerEngine:
    """Runs the stack in containers. Life cycle by `docker compose`, states by the engine's API."""

    name = "docker"

    def __init__(
        self,
        project: Project,
        runner: Runner,
        postgres: int,
        ports: Ports,
        source: str,
        app: AppSection = REFERENCE_APP,
        generation: int = 0,
    ) -> None:
        self._project = project
        self._runner = runner
        self._postgres = postgres
        self._ports = ports
        self._source = source
        self._app = app
        self._generation = generation
        self._supply: images.Supply | None = None

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """Every wanted service that the image source has."""
        self._supply = images.supply(self._source, self._postgres, tuple(wanted), self._app.image)
        services = tuple(service for service in wanted if service in self._supply.images)
        build, where = declared_build(self._source), with_app(place.place_of(self._postgres), self._app)
        return Deployment(Target.COMPOSE, where, services, build, self._supply.missing)

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """Images, published ports, secrets by name, and what this engine's version allows."""
        vault, folder = Vault(self._project.secrets), repository.folder_of(self._project, self.repository())
        return {
            **place.extra(sizing, self._ports, self._supplied().references(), containers.engine_version()),
            "secrets": place.secret_names(sizing, deployment.services),
            "secrets_folder": "../secrets",
            "held_disk": held_disk(sizing.profile.disk_limit),
            "data_volume": volume_key(self._generation),
            **mounts.extra(self._project, self.repository(), partial(_from_files, self._project)),
            "fingerprint": vault.fingerprint() if self._project.secrets.is_dir() else "",
            **repository.extra(self._project, sizing, _from_files(self._project, folder) if folder else None),
        }

    def prepare(self, deployment: Deployment, note: Note) -> None:
        """Have the images here; refuse data that was made under other secrets."""
        if problem := containers.engine_problem():
            raise NoEngine(f"Docker Engine: {problem}", hint="stackctl doctor says more; --engine embedded needs none")
        volume = containers.foreign_volume(self._project.name, Vault(self._project.secrets).fingerprint())
        if volume:
            raise ProfileError(
                f"volume {volume} was made with other secrets than those in {self._project.secrets}",
                hint="restore that folder, or set another name in stackctl.yaml",
            )
        images.ensure(self._supplied(), self._runner, note)
        scheduled = SCHEDULER in deployment.services
        repository.make(self._project, self.repository(), database_user(), scheduled=scheduled)
        (self._project.private / FOLDER).mkdir(mode=0o700, exist_ok=True)
        if self._project.pgbackrest:
            self._project.make_work()
            (self._project.work / noted.FOLDER).mkdir(mode=0o700, exist_ok=True)
        if RECEIVER in deployment.services:
            make_archive(self.repository(), database_user(), name=TAIL)

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """`docker compose up --wait`: the database and its roles first, where they may be new, then all the others."""
        deadline = time.monotonic() + timeout
        before = {state.name: state.started_at for state in self.services()}
        lasting = [service for service in deployment.services if service != "migrate"]
        with self._provisioned() as known:
            if not known:
                self._bring_up(["postgres"], changed, before, deadline, note)
                self._compose(*argv.psql("postgres", "-f", f"{place.CONFIG}/postgres/provision.sql"), quiet=True)
            self._bring_up(lasting, changed, before, deadline, note)
        # The checkpointer goes to sleep before it may archive, for as long as checkpoint_timeout.
        self.reload()

    @contextmanager
    def _provisioned(self) -> Iterator[bool]:
        """Whether the last start went well with the same roles; a start that fails leaves the next one in doubt."""
        mark = self._project.private / "provisioned"
        content = (self._project.rendered / "postgres" / "provision.sql").read_bytes()
        # A restored copy has the roles of its own time.
        digest = hashlib.sha256(content + volume_key(self._generation).encode()).hexdigest()
        known = mark.exists() and mark.read_text() == digest
        mark.unlink(missing_ok=True)
        yield known
        mark.write_text(digest)

    def _bring_up(
        self,
        services: Sequence[str],
        changed: Sequence[str],
        before: Mapping[str, str | None],
        deadline: float,
        note: Note,
    ) -> None:
        self._restart_broken(services, changed)
        self._up(services, deadline, note)
        if stale := self._stale(services, changed, before):
            self._compose("restart", *stale)
            self._up(services, deadline, note)

    def _restart_broken(self, services: Sequence[str], changed: Sequence[str]) -> None:
        """What failed under earlier files would end the wait before it reads the new ones."""
        mine = set(services) & set(changed)
        states = [state for state in self.services() if state.name in mine and state.health == "unhealthy"]
        if broken := [state.name for state in states if state.state not in ("created", "dead")]:
            self._compose("restart", *broken)

    def _stale(self, services: Sequence[str], changed: Sequence[str], before: Mapping[str, str | None]) -> list[str]:
        """Services that `up` left running although their files changed."""
        after = {state.name: state.started_at for state in self.services()}
        return [s for s in services if s in changed and before.get(s) and before[s] == after.get(s)]

    def data_place(self) -> Path:
        """Docker's data root, where the volumes are."""
        return containers.data_root()

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
        (self._project.private / "provisioned").unlink(missing_ok=True)
        self._compose(*argv.down(destroy=True), timeout=600)
        self.places().remove_all()
        self.ballast().free()

    def running(self) -> bool:
        """Whether any container of the project runs."""
        return containers.engine_version() is not None and containers.any_running(self._project.name)

    def services(self) -> tuple[ServiceState, ...]:
        """States and health as the engine tells them."""
        return containers.service_states(self._project.name, asdict(self._ports))

    def outdated(self) -> tuple[str, ...]:
        """The app, where the name of its image stands for another one by now, as after `docker build`."""
        return containers.outdated(self._project.name, self._app.image) if self._app.image else ()

    def query(self, sql: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator, inside the database's container."""
        try:
            done = self._compose(*argv.psql(database, "-c", as_json(sql)), quiet=True, timeout=QUERY_SECONDS)
        except StackError as error:
            raise Unhealthy(f"PostgreSQL does not answer: {error}", hint="stackctl logs postgres") from error
        return rows(done.stdout)

    def watch(self) -> ByAdministrator:
        """As a command asks: the host has no way to the server's network. The stack's exporter is `inside`."""
        return ByAdministrator(self.query)

    @contextmanager
    def programs(self) -> Iterator[DockerPrograms]:
        """Containers of the database's image."""
        name, image = self._project.name, self._image()
        with passfile(
            self._project.private, Vault(self._project.secrets).password("backup_password"), operator()
        ) as file:
            reach = tuple(repository.mounts(self._project, self.repository())) if self._project.pgbackrest else ()
            out = repository.network(self._project)
            yield DockerPrograms(name, image, f"{name}_database", self._runner, file, reach=reach, way_out=out)

    def beside(self, argv: Sequence[str], timeout: float, *, looking: bool = False) -> Completed:
        """In the database's container; without its client the program there would go on, so it is ended."""
        # Where memory runs out it goes before the sessions of the server, which have 200.
        last = "echo 500 >/proc/self/oom_score_adj"
        shell = ("sh", "-c", f'{last}; exec ionice -c 3 nice -n 10 "$@"', "sh", *argv)
        start = ("exec", "-T", "--env", orphans.marked(), "postgres")
        try:
            return self._compose(*start, *shell, quiet=looking, timeout=timeout, check=False)
        except BaseException:
            if not looking:
                with suppress(StackError):
                    orphans.end_programs(self._project.name, self._runner, mine=True)
            raise

    def places(self) -> DockerPlaces:
        """Volumes of the project."""
        data, mount = place.data_folder(self._postgres), data_mount(self._postgres)
        fingerprint = Vault(self._project.secrets).fingerprint()
        return DockerPlaces(self._project.name, self._image(), mount, data, fingerprint, self._runner)

    def ballast(self) -> DockerBallast:
        """A volume beside those of the data."""
        return DockerBallast(self.places(), self._project.private / "ballast")

    def repository(self) -> Path:
        """The project's, else in its folder."""
        return self._project.repository or self._project.folder / "backups"

    def logs(self, service: str | None, tail: int) -> Iterator[str]:
        """The last lines of one service, or of all."""
        for line in self._compose(*argv.logs(service, tail), quiet=True).stdout.splitlines():
            # Compose clears the terminal's line even where there is none, whatever --ansi says.
            yield line.removeprefix(_CLEAR_LINE)

    def follow(self, service: str | None, tail: int) -> Iterator[str]:
        """Lines as they come."""
        for line in self._runner.stream(self._argv(*argv.logs(service, tail), "--follow")):
            yield line.removeprefix(_CLEAR_LINE)

    def _image(self) -> str:
        return images.supply(self._source, self._postgres, ("postgres",)).images["postgres"].reference

    def _supplied(self) -> images.Supply:
        assert self._supply is not None, "deployment() comes first"  # noqa: S101
        return self._supply

    def _argv(self, *words: str) -> list[str]:
        return argv.compose(self._project.name, self._project.rendered, *words)

    def _compose(self, *words: str, quiet: bool = False, timeout: float = 300, check: bool = True) -> Completed:
        return self._runner.run(self._argv(*words), timeout=timeout, quiet=quiet, check=check)

    def _up(self, services: Sequence[str], deadline: float, note: Note) -> None:
        """Run `up` while telling what it waits for."""
        seconds = max(1, int(deadline - time.monotonic()))
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done, note), daemon=True)
        watcher.start()
        try:
            self._compose(*argv.up(services, seconds), timeout=seconds + 30)
        except EngineFailed as error:
            if time.monotonic() < deadline and "timeout" not in str(error):
                raise
            waiting = ", ".join(state.name for state in self.services() if state.health != "healthy")
            text = f"{waiting or ', '.join(services)} not healthy in time"
            raise TimedOut(text, hint="stackctl logs; --timeout gives it longer") from error
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


def _from_files(project: Project, folder: Path) -> str:
    return project.from_files(folder)
