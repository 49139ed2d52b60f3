"""One project: its name, and the places stackctl keeps below its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """One project: its name, its folder, and the places stackctl keeps below `.stackctl/`.

    `repository` is the folder that it names for its backups, None for the engine's own place.
    """

    name: str
    folder: Path
    repository: Path | None = None

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
