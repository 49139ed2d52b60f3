"""The PostgreSQL image as the product runs it: hardened, with a sizing's configuration, limit and roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from e2e.images.docker_client import Docker, wait_for
from e2e.images.hardening import tmpfs, user
from stackctl.render.stack import render_postgres
from stackctl.sizing.model import Sizing

_CONFIG = "/etc/stackctl/postgres"
_DATA = "/var/lib/postgresql/data"
# The kernel then prefers a backend to the postmaster, as in the product's compose file.
_KILL_CHILDREN = ("-e", "PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj", "-e", "PG_OOM_ADJUST_VALUE=200")
_NUMBERS = """SELECT name, setting::bigint * CASE unit WHEN '8kB' THEN 8192 WHEN 'kB' THEN 1024 WHEN 'MB' THEN 1048576
    ELSE 1 END FROM pg_settings WHERE vartype = 'integer'"""


@dataclass
class Server:
    """A server in a container, reached over a port of this machine; every connection to it can be closed at once."""

    docker: Docker
    name: str
    port: int
    opened: list[psycopg.Connection[Any]] = field(default_factory=list)

    def connect(self, role: str = "postgres", replication: str = "false") -> psycopg.Connection[Any]:
        """A session in autocommit mode."""
        where = f"host=127.0.0.1 port={self.port} user={role} dbname=app connect_timeout=10 replication={replication}"
        connection = psycopg.connect(where, autocommit=True)
        self.opened.append(connection)
        return connection

    def numbers(self) -> dict[str, int]:
        """All settings in force that are whole numbers, memory in bytes."""
        with self.connect() as session:
            return dict(session.execute(_NUMBERS.encode()).fetchall())

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        """End all sessions; one that the server has dropped already is no fault."""
        for connection in self.opened:
            connection.close()


def launch(docker: Docker, image: str, *options: str, settings: Sequence[str], volume: str | None = None) -> Server:
    """A hardened server with these container options and arguments of `postgres`, ready for connections."""
    number = len(docker.made)
    arguments = ("listen_addresses=*", "dynamic_shared_memory_type=posix", *settings)
    name = docker.start(
        f"db{number}",
        image,
        *user(999, 999),
        *tmpfs("/tmp", 999),
        *tmpfs("/var/run/postgresql", 999, 1),
        *("-v", f"{volume or docker.volume(f'data{number}')}:{_DATA}"),
        *("-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-e", "POSTGRES_DB=app", "-p", "127.0.0.1::5432"),
        *options,
        command=["postgres", *(word for argument in arguments for word in ("-c", argument))],
    )
    server = Server(docker, name, int(docker("port", name, "5432").rpartition(":")[2]))
    wait_for(server.answers, "the server answers", 120)
    return server


def launch_sized(docker: Docker, image: str, sizing: Sizing, folder: Path) -> Server:
    """A server with all that the sizing says: rendered configuration, memory limit, /dev/shm and limited roles."""
    folder.mkdir()
    for file in render_postgres(sizing):
        (folder / file.path).write_bytes(file.content)
    limit = str(sizing.memory.limit)
    options = ("--memory", limit, "--memory-swap", limit, "--shm-size", str(sizing.shm_size))
    mount = ("-v", f"{folder}:{_CONFIG}:ro", *_KILL_CHILDREN)
    server = launch(docker, image, *options, *mount, settings=[f"config_file={_CONFIG}/postgresql.conf"])
    with server.connect() as admin:
        for role in sizing.roles:
            admin.execute(f"CREATE ROLE {role.name} LOGIN CONNECTION LIMIT {role.connection_limit}".encode())
            for name, value in role.settings.items():
                admin.execute(f"ALTER ROLE {role.name} SET {name} = '{value}'".encode())
    return server
