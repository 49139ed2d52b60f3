"""A real PgBouncer in front of a test's database, as a plain program."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from running_app import Database
from running_postgres import PASSWORD, free_port, wait_until

# Only what differs from the defaults; what a test is about, it sets itself.
CONFIGURATION = """
[databases]
{database} = host=127.0.0.1 port={server_port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
server_login_retry = 1
{settings}
"""


@dataclass
class PgBouncer:
    """PgBouncer in a directory of its own, run by a user that is not root."""

    database: Database
    directory: Path
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def environ(self) -> dict[str, str]:
        url = f"postgresql+psycopg://app@127.0.0.1:{self.port}/{self.database.name}"
        return self.database.environ() | {"DATABASE_URL": url, "DB_POOLER": "pgbouncer"}

    def start(self) -> None:
        settings = "\n".join(f"{name} = {value}" for name, value in self.settings.items())
        places = {"database": self.database.name, "server_port": self.database.postgres.port, "port": self.port}
        text = CONFIGURATION.format(**places, directory=self.directory, settings=settings)
        (self.directory / "pgbouncer.ini").write_text(text)
        (self.directory / "users").write_text(f'"app" "{PASSWORD}"\n')
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, str(self.directory / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
                user=pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None,
            )
        wait_until(self.connects, 20)

    def connects(self) -> bool:
        where = {"host": "127.0.0.1", "port": self.port, "user": "app", "password": PASSWORD}
        with psycopg.connect(dbname=self.database.name, connect_timeout=5, **where):  # type: ignore[arg-type]
            return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def running_pgbouncer(database: Database, **settings: str) -> Iterator[PgBouncer]:
    """Yield a PgBouncer in transaction mode with these settings."""
    directory = Path(tempfile.mkdtemp(prefix="app-pgbouncer-"))
    directory.chmod(0o755)
    pooler = PgBouncer(database, directory, settings)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        shutil.rmtree(directory)
