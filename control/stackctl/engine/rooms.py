"""Rooms for throwaway servers that are compared: each with limits of its own, and clients outside of them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackctl.engine.runner import Completed, Runner
from stackctl.hardware.model import DiskLimit
from stackctl.hardware.usage import Usage
from stackctl.units import Bytes

ADMINISTRATOR = "postgres"
# $1 is a file in a folder of the database's account, and this runs as that: to root it could hold out a link.
WRITE = 'umask 077; rm -f -- "$1" && set -C && cat >"$1"'


@dataclass(frozen=True)
class Limits:
    """What one server may use: bytes of memory and of shared memory, CPUs, and the disk."""

    memory: Bytes
    shared: Bytes
    cpus: float
    disk: DiskLimit


class Room(Protocol):
    """The place of one server. Paths are those that its programs see."""

    @property
    def name(self) -> str:
        """One that no other room of the run has."""

    @property
    def data(self) -> Path:
        """The cluster's folder."""

    @property
    def socket(self) -> Path:
        """The folder of its socket."""

    def run(
        self, program: str, *arguments: str, check: bool = True, timeout: float = 60, input: str | None = None
    ) -> Completed:
        """Run one of PostgreSQL's programs within the limits, as the account that owns the data."""

    def kill(self) -> None:
        """End all of the server at once, as a machine that stops; its data stays."""

    def usage(self) -> Usage:
        """CPU seconds and memory of the server. Raises Unhealthy where nobody can tell."""

    def log(self) -> str:
        """The last lines that the server wrote."""


class Rooms(Protocol):
    """All rooms of one run, which are gone at its end, however it ends."""

    @property
    def limited(self) -> str:
        """What is enforced, in words."""

    @property
    def runner(self) -> Runner:
        """What runs programs on this machine, outside of every room."""

    @property
    def scratch(self) -> Path:
        """A folder that clients read and write."""

    def room(self, name: str, limits: Limits) -> Room:
        """A new room."""

    def write(self, path: Path, text: str) -> None:
        """A new file for clients or the pooler, in a folder that they see, in the place of what has its name."""

    def leave(self, room: Room) -> None:
        """Remove a room with all that is in it."""

    def pooler(self, room: Room, ini: Path) -> AbstractContextManager[None]:
        """PgBouncer with the file `ini` of the room's folder, outside the limits, for as long as the context lasts.

        Raises ImageUnavailable where there is no such program.
        """

    def client(self, room: Room, program: str, *arguments: str, timeout: float) -> Completed:
        """Run a client program outside the limits, as the administrator of the room's server."""
