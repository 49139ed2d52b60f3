"""PostgreSQL's programs beside the scheduler, in its own container."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stackctl.engine.embedded.client import EmbeddedPrograms
from stackctl.engine.embedded.home import Home
from stackctl.engine.runner import SystemUser

HOST, PORT = "postgres", 5432
# What is at work ends with the thread that started it.
END_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
# As many workers of pgBackRest as there is memory for here, and more than this container's CPUs keep busy.
# The configuration has the number for the database's container.
FEW_WORKERS = {"PGBACKREST_PROCESS_MAX": "2"}
# Of the database's image. An operator who is not root runs the container under their own number.
_ACCOUNT = SystemUser("postgres", 999, 999)
_TEMPORARY = Path("/tmp")  # noqa: S108 - a tmpfs of the container


@dataclass(frozen=True)
class InsidePrograms(EmbeddedPrograms):
    """Processes of this container, as the database's account; the server is reached over the stack's network."""

    def _started(self, program: str) -> tuple[str, ...]:
        # pgBackRest and its shell are not PostgreSQL's, and not found by their folders where this process is killed.
        found = self.server.program(program)
        return (found,) if Path(found).exists() else (*END_WITH_US, program)

    def _environment(self) -> dict[str, str]:
        return super()._environment() | FEW_WORKERS

    def with_repository(self) -> InsidePrograms:
        """Themselves: what this container needs of it is mounted, or nothing is."""
        return self

    def login(self) -> tuple[str, ...]:
        """Over the stack's own network."""
        return ("--host", HOST, "--port", str(self.port), "--username", "backup", "--no-password")


def account() -> SystemUser | None:
    """Who the programs run as: none of them may be root."""
    return _ACCOUNT if os.geteuid() == 0 else None


def home(repository: Path) -> Home:
    """A home without a database; its working directory is one that the account can enter."""
    work = _TEMPORARY / "work"
    work.mkdir(mode=0o755, exist_ok=True)
    return Home(_TEMPORARY, _TEMPORARY, _TEMPORARY, _TEMPORARY, account(), repository)
