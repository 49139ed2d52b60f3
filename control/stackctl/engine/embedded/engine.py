"""The embedded engine: the same files, run as supervised processes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from stackctl.engine.archive_folder import TAIL, make_archive
from stackctl.engine.base import Deployment, Note, ServiceState
from stackctl.engine.embedded import home as homes
from stackctl.engine.embedded import place, probes, shared
from stackctl.engine.embedded.account import ensure_account, service_user
from stackctl.engine.embedded.ballast import EmbeddedBallast
from stackctl.engine.embedded.client import EmbeddedPrograms, without_pgbackrest
from stackctl.engine.embedded.cluster import Cluster, config_error
from stackctl.engine.embedded.features import probe_build
from stackctl.engine.embedded.generations import EmbeddedPlaces
from stackctl.engine.embedded.migrate import migrate
from stackctl.engine.embedded.own_app import own_program
from stackctl.engine.embedded.programs import Server, find_pooler, find_server, find_service
from stackctl.engine.embedded.states import receiving, state_of
from stackctl.engine.embedded.supervisor import Supervisor, end_orphans, orphans
from stackctl.engine.embedded.transplant import ensure_python, python_path, server_of, wanted_python
from stackctl.engine.logs import follow_files, tail_files
from stackctl.engine.passfile import passfile
from stackctl.engine.project import Project
from stackctl.engine.runner import Completed, Runner, SystemUser
from stackctl.errors import EngineFailed, TimedOut
from stackctl.render.manifest import Target
from stackctl.render.model import Place
from stackctl.render.own_app import with_app
from stackctl.render.receiver import SERVICE as RECEIVER
from stackctl.settings.app_section import REFERENCE_APP, AppSection
from stackctl.settings.model import Ports
from stackctl.settings.vault import Vault
from stackctl.sizing.model import Sizing

STOP_ORDER = ("app", "pgbouncer", "prometheus", "alertmanager", "exporter", RECEIVER, "postgres")
_MONITORING = ("exporter", "prometheus", "alertmanager")
# So often the app may end while `up` waits for it.
_STARTS = 3
_BAD = ("BACKOFF", "FATAL", "EXITED")


class EmbeddedEngine:
    """Runs the stack under supervisord, below the project or, as root, below /var/lib/stackctl."""

    name = "embedded"

    def __init__(
        self,
        project: Project,
        runner: Runner,
        postgres: int,
        ports: Ports,
        app: AppSection = REFERENCE_APP,
        generation: int = 0,
    ) -> None:
        self._project = project
        self._runner = runner
        self._postgres = postgres
        self._ports = ports
        self._app = app
        self._generation = generation
        self._settle_on(service_user())

    def deployment(self, wanted: Sequence[str]) -> Deployment:
        """Services that can run here, with the reason for each that cannot.

        Raises ProfileError where the user's own app cannot run.
        """
        own_program(self._app, self._project.folder, self._home.user, self._home.work)
        server = find_server(self._runner, self._postgres)
        found = {service: find_service(self._runner, service) for service in _MONITORING if service in wanted}
        missing = {service: reason for service, (path, reason) in found.items() if path is None}
        if "grafana" in wanted:
            missing["grafana"] = "the embedded engine has no Grafana"
        services = tuple(service for service in wanted if service not in missing)
        build = probe_build(self._runner, server.folder)
        prepares = "pgbouncer" not in services or find_pooler(self._runner).prepares
        return Deployment(Target.EMBEDDED, self._place(), services, build, missing, prepares)

    def extra(self, sizing: Sizing, deployment: Deployment) -> Mapping[str, Any]:
        """Programs by service, and the folders of supervisord.conf."""
        python = wanted_python(self._home)
        programs = {"python": python, "postgres": self._server(python).program("postgres")}
        for service in _MONITORING:
            if service in deployment.services:
                programs[service] = find_service(self._runner, service)[0] or ""
        if "pgbouncer" in deployment.services:
            programs["pgbouncer"] = find_pooler(self._runner).path
        own = own_program(self._app, self._project.folder, self._home.user, self._home.work)
        return {**place.extra(self._home, programs, deployment.place, sizing), "own": own}

    def prepare(self, deployment: Deployment, note: Note) -> None:
        """Make the folders and, as root, the account and a Python that it can run."""
        self._settle_on(ensure_account(self._runner))
        homes.settle(self._home, self._project, self._runner)
        make_archive(self.repository(), self._home.user)
        if RECEIVER in deployment.services:
            make_archive(self.repository(), self._home.user, name=TAIL)
        ensure_python(self._runner, self._home)
        if not self._supervisor.alive() and (ended := end_orphans(self._home)):
            note(f"ended what an earlier supervisord left running: {', '.join(ended)}")

    def start(self, deployment: Deployment, changed: Sequence[str], timeout: float, note: Note) -> None:
        """Bring the processes to the rendered files and wait until all are healthy."""
        deadline = time.monotonic() + timeout
        homes.install(self._home, self._project, self._runner)
        cluster = self._cluster()
        if cluster.initialise():
            note(f"initialised PostgreSQL {cluster.server.major} in {cluster.data}")
        stopped: tuple[str, ...] = ()
        if self._supervisor.alive():
            stopped = self._supervisor.reread()
        else:
            self._supervisor.launch(python_path(self._home))
        restarts = [service for service in changed if service not in stopped]
        self._start_postgres(cluster, "postgres" in restarts, deadline)
        # The checkpointer goes to sleep before it may archive, for as long as checkpoint_timeout.
        self._supervisor.reload("postgres")
        cluster.provision()
        # Before all that commits: a commit may have to wait for it.
        self._start_others([service for service in deployment.services if service == RECEIVER], restarts)
        if self._app.own and self._app.migrate:
            note("migrating the database")
            self._supervisor.run_once("migrate", self._home.logs, deadline)
        self._start_others([s for s in deployment.services if s not in ("postgres", "migrate", RECEIVER)], restarts)
        if not self._app.own:
            note("migrating the database")
            migrate(self._home, deployment.place, self._runner)
        self._wait(deployment, deadline, note)

    def reload(self) -> None:
        """Bring the files to where the server reads them, then SIGHUP to it."""
        homes.install(self._home, self._project, self._runner)
        self._supervisor.reload("postgres")

    def data_place(self) -> Path:
        """The folder of the data directories."""
        return self._home.disk

    def places(self) -> EmbeddedPlaces:
        """Folders of the home."""
        return EmbeddedPlaces(self._home, self._cluster().server, self._runner)

    def ballast(self) -> EmbeddedBallast:
        """A file beside the data directories."""
        return EmbeddedBallast(self._home, self._runner)

    def stop(self, note: Note) -> None:
        """Stop the services in order, the database last and cleanly. Never another project's."""
        homes.refuse_foreign(self._home, self._project)
        if self._supervisor.alive():
            self._supervisor.shut_down(STOP_ORDER)
        if ended := end_orphans(self._home):
            note(f"ended what was left running: {', '.join(ended)}")

    def destroy(self, note: Note) -> None:
        """Remove the home, data included."""
        homes.refuse_foreign(self._home, self._project)
        note(f"removing {self._home.root}")
        homes.remove(self._home)
        if self._home.user is not None:
            shared.forget(self._home.root.name)

    def running(self) -> bool:
        """Whether supervisord or anything it started is there."""
        return self._supervisor.alive() or bool(orphans(self._home))

    def services(self) -> tuple[ServiceState, ...]:
        """States as supervisord tells them, health as the services themselves do."""
        where = self._place()
        found = {name: info for name, info in self._supervisor.processes().items() if name != "migrate"}
        if not found:
            names = sorted(set(orphans(self._home).values()))
            return tuple(ServiceState(name, "orphaned", "unhealthy") for name in names)
        return tuple(state_of(name, info, where, partial(self._answers, where)) for name, info in sorted(found.items()))

    def outdated(self) -> tuple[str, ...]:
        """Nothing: whether a program on the disk is a newer one, nobody can tell."""
        return ()

    def query(self, sql: str, database: str = "postgres") -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator, over the socket."""
        return self._cluster().query(sql, database)

    @contextmanager
    def programs(self) -> Iterator[EmbeddedPrograms]:
        """The server's programs, as the account."""
        home, password = self._home, Vault(self._project.secrets).password("backup_password")
        with passfile(home.run, password, home.user) as file:
            yield EmbeddedPrograms(self._cluster().server, home, self._runner, self._ports.postgres, file)

    def beside(self, argv: Sequence[str], timeout: float, *, looking: bool = False) -> Completed:
        """There is no container to run it in."""
        raise without_pgbackrest()

    def repository(self) -> Path:
        """Where the account can go and `down` removes nothing."""
        return self._home.backups

    def logs(self, service: str | None, tail: int) -> Iterator[str]:
        """The last lines of one service's log file, or of all."""
        return tail_files(self._log_files(service), tail)

    def follow(self, service: str | None, tail: int) -> Iterator[str]:
        """Lines as they are written."""
        return follow_files(self._log_files(service), tail)

    def _place(self) -> Place:
        return with_app(place.place_of(self._home, self._ports, self._postgres), self._app)

    def _log_files(self, service: str | None) -> list[Path]:
        folder = self._home.logs
        return [folder / f"{service}.log"] if service else sorted(folder.glob("*.log"))

    def _settle_on(self, user: SystemUser | None) -> None:
        self._home = homes.home_of(self._project, user, self._generation)
        self._supervisor = Supervisor(self._home, self._runner)

    def _cluster(self) -> Cluster:
        return Cluster(self._server(python_path(self._home)), self._home, self._runner, self._ports.postgres)

    def _server(self, python: str) -> Server:
        return server_of(python, find_server(self._runner, self._postgres))

    def _start_postgres(self, cluster: Cluster, restart: bool, deadline: float) -> None:
        log = self._home.logs / "postgres.log"
        known = log.stat().st_size if log.exists() else 0
        self._start_program("postgres", restart)
        while not cluster.ready():
            if self._process("postgres") in _BAD:
                error = config_error(log, known)
                raise error or EngineFailed("PostgreSQL does not start", hint="stackctl logs postgres")
            if time.monotonic() > deadline:
                raise TimedOut(
                    "PostgreSQL takes no connections yet",
                    hint="stackctl logs postgres; --timeout gives it longer",
                )
            time.sleep(0.1)

    def _start_program(self, name: str, restart: bool) -> None:
        """Start what does not run; one that supervisord tries again by itself is tried with the new files at once."""
        state = self._process(name)
        # For its first seconds a program is STARTING, also where it already answers, with the old files.
        if restart or state not in ("RUNNING", "STARTING"):
            self._supervisor.restart(name)

    def _start_others(self, services: Sequence[str], restarts: Sequence[str]) -> None:
        for service in services:
            self._start_program(service, service in restarts)

    def _wait(self, deployment: Deployment, deadline: float, note: Note) -> None:
        waiting = [service for service in deployment.services if service not in ("postgres", "migrate")]
        told: list[str] = []
        starts: set[int] = set()
        while waiting := [service for service in waiting if not self._answers(deployment.place, service)]:
            if waiting != told:
                note(f"waiting for {', '.join(waiting)}")
                told = waiting
            starts.add(self._supervisor.processes().get("app", {}).get("pid", 0))
            if "app" in waiting and len(starts - {0}) > _STARTS:
                raise EngineFailed("app ends soon after each start", hint="stackctl logs app")
            down = [service for service in waiting if self._process(service) == "FATAL"]
            if down:
                raise EngineFailed(f"{down[0]} does not start", hint=f"stackctl logs {down[0]}")
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"{', '.join(waiting)} not healthy in time",
                    hint=f"stackctl logs {waiting[0]}; --timeout gives it longer",
                )
            time.sleep(0.1)

    def _answers(self, where: Place, name: str) -> bool:
        if name == "postgres":
            return self._cluster().ready()
        if name == "pgbouncer":
            return self._cluster().pooler_ready(where.addresses[name])
        if name == RECEIVER:
            return receiving(where)
        return probes.well(where, name)

    def _process(self, name: str) -> str:
        return str(self._supervisor.processes().get(name, {}).get("statename", "UNKNOWN"))
