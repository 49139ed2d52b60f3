"""The PostgreSQL cluster of an embedded stack: initialise it once, provision roles, ask it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackctl.engine.embedded.home import Home, as_account
from stackctl.engine.embedded.programs import Server
from stackctl.engine.query import LOCAL, PSQL, QUERY_SECONDS, as_json, rows
from stackctl.engine.runner import Completed, Runner
from stackctl.errors import EngineFailed, StackError, Unhealthy
from stackctl.render.model import Address

INITDB_OPTIONS = (
    "--data-checksums",
    "--auth-local=peer",
    "--auth-host=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
)


@dataclass(frozen=True)
class Cluster:
    """One cluster: the server's programs, the home it lives in, the port that names its socket."""

    server: Server
    home: Home
    runner: Runner
    port: int

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home.data(self.server.major)

    def initialise(self) -> bool:
        """Make the cluster where there is none, roles and database included; True where it was made.

        It is made under another name and renamed at the end, so that an interrupted run leaves no half cluster.
        """
        if (self.data / "PG_VERSION").exists():
            return False
        fresh = self.data.with_name(f"{self.data.name}.new")
        as_account(self.home, self.runner, "rm", "-rf", str(fresh))
        self._run("initdb", "-D", str(fresh), "-U", "postgres", *INITDB_OPTIONS)
        as_account(self.home, self.runner, "mv", str(fresh), str(self.data))
        return True

    def ready(self) -> bool:
        """Whether it takes connections."""
        login = ("-U", "postgres", "-d", "postgres")
        return self._run("pg_isready", "-q", *self._socket(), *login, check=False).returncode == 0

    def pooler_ready(self, address: Address) -> bool:
        """Whether PgBouncer takes connections there. Whether the server does is another question."""
        login = ("-h", address.host, "-p", str(address.port), "-U", "monitor", "-d", "app")
        return self._run("pg_isready", "-q", *login, check=False).returncode == 0

    def provision(self) -> None:
        """State roles, database and extension; safe to run again. Raises EngineFailed with psql's words."""
        file = str(self.home.config / "postgres" / "provision.sql")
        environment = {"SECRETS_DIR": str(self.home.secrets), "PGOPTIONS": LOCAL}
        self._run(
            "psql",
            "-X",
            "-q",
            *self._socket(),
            "-U",
            "postgres",
            "-d",
            "postgres",
            "-f",
            file,
            env=environment,
        )

    def query(self, sql: str, database: str) -> list[dict[str, Any]]:
        """Rows of `sql` as the administrator. Raises Unhealthy where the server does not answer in time."""
        login = (*self._socket(), "-U", "postgres", "-d", database)
        try:
            done = self._run("psql", *PSQL, *login, "-c", as_json(sql), timeout=QUERY_SECONDS)
        except StackError as error:
            raise Unhealthy(f"PostgreSQL does not answer: {error}", hint="stackctl logs postgres") from error
        return rows(done.stdout)

    def _socket(self) -> tuple[str, ...]:
        return ("-h", str(self.home.run), "-p", str(self.port))

    def _run(
        self,
        program: str,
        *options: str,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> Completed:
        return self.runner.run(
            [self.server.program(program), *options],
            user=self.home.user,
            cwd=self.home.work,
            env={"LC_ALL": "C.UTF-8", **(env or {})},
            clean=True,
            check=check,
            timeout=timeout,
            quiet=program != "initdb",
        )


def config_error(log: Path, known: int) -> EngineFailed | None:
    """What keeps the server from starting, in its own words, by the log after its first `known` bytes."""
    try:
        lines = log.read_bytes()[known:].decode(errors="replace").splitlines()[-40:]
    except OSError:
        return None
    marks = ("FATAL:", "PANIC:")
    faults = [line for line in lines if any(m in line for m in marks) or ("LOG:" in line and "postgresql.conf" in line)]
    if not faults:
        return None
    if full := [line for line in faults if "No space left on device" in line]:
        said = full[-1].split(": ", 1)[-1].strip()
        hint = "stackctl ballast free gives room back; stackctl health shows the disk"
        return EngineFailed(f"PostgreSQL does not start: {said}", hint=hint, code="disk_full")
    return EngineFailed(
        f"PostgreSQL does not start: {faults[-1].split(': ', 1)[-1].strip()}", hint="stackctl logs postgres"
    )
