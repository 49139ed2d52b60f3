"""What rendering gives, and what it needs to know of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One rendered file: its path below the output folder, its bytes, its mode."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Address:
    """Where a service's clients find it, and the address it binds."""

    host: str
    port: int
    bind: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Place:
    """The facts in which engines differ: paths, addresses and origins as the services themselves see them.

    `config` is the rendered tree, `secrets` the folder of secret files, `os_user` the system user that owns the
    cluster, `origins` the client addresses of pg_hba.conf, `shared_memory` the kind that works there: `posix` needs a
    writable /dev/shm. `app_health` is the path that tells whether the app is well, and the first status that means no.
    `archive` is the folder that WAL is archived to, `tail` the one that it is received into, `run` one for the moment.
    """

    config: str
    data: str
    secrets: str
    archive: str
    socket: str
    os_user: str
    listen: str
    origins: tuple[str, ...]
    addresses: Mapping[str, Address]
    shared_memory: str = "posix"
    app_health: tuple[str, int] = ("/readyz", 300)
    tail: str = ""
    run: str = "/tmp"  # noqa: S108 - a tmpfs of each container

    @property
    def postgres_port(self) -> int:
        """The port PostgreSQL listens on."""
        return self.addresses["postgres"].port

    def address(self, service: str) -> str:
        """`host:port` of `service`."""
        return str(self.addresses[service])
