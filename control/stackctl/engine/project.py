"""One project: its name, and the places stackctl keeps below its folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stackctl.settings.pgbackrest import PgBackRest


@dataclass(frozen=True)
class Project:
    """One project: its name, its folder, and the places stackctl keeps below `.stackctl/`.

    `repository` is the folder that it names for its backups, None for the engine's own place. `pgbackrest` is None
    where PostgreSQL's own programs take them.
    """

    name: str
    folder: Path
    repository: Path | None = None
    pgbackrest: PgBackRest | None = None

    def from_files(self, folder: Path) -> str:
        """A folder as the rendered files name it: a project is moved with what is in it, and with nothing else."""
        return os.path.relpath(folder, self.rendered) if folder.is_relative_to(self.folder) else str(folder)

    @property
    def away(self) -> bool:
        """Whether the backups are in an object store, and so on no disk of this machine."""
        return self.pgbackrest is not None and self.pgbackrest.remote is not None

    @property
    def takes_dumps(self) -> bool:
        """Whether dumps may be taken: these are not encrypted, wherever the other backups are."""
        return self.pgbackrest is None or not self.pgbackrest.encryption

    @property
    def private(self) -> Path:
        """`.stackctl/`, mode 0700."""
        return self.folder / ".stackctl"

    @property
    def rendered(self) -> Path:
        """The rendered files."""
        return self.private / "rendered"

    @property
    def secrets(self) -> Path:
        """The secret files."""
        return self.private / "secrets"

    @property
    def work(self) -> Path:
        """With pgBackRest: the lock of its runs, what they noted for the observer, and copies for trials.

        The scheduler's container shares it.
        """
        return self.private / "work"

    def make_work(self) -> None:
        """Make that folder where it is missing: in the container, the database's account passes through it."""
        self.work.mkdir(exist_ok=True)
        self.work.chmod(0o711)

    @property
    def repository_keys(self) -> Path:
        """What opens a repository of pgBackRest."""
        return self.private / "repository"
