"""Data directories by generation, on every engine: look, put one in place, remove one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from stackctl.errors import EngineFailed

Note = Callable[[str], None]
_IDENTIFIER = re.compile(r"^Database system identifier:\s*(\d+)$", re.MULTILINE)
# In the place of the archive's folder: keep WAL back until the restored copy is accepted.
HELD = "-"


class DataPlaces(Protocol):
    """Where an engine keeps the data of its generations."""

    def taken(self) -> frozenset[int]:
        """The numbers of which anything is there, unfinished or not."""

    def there(self, generation: int) -> bool:
        """Whether there is a cluster."""

    def system(self, generation: int) -> str | None:
        """Identifier of a cluster whose server does not run; None where there is none."""

    def install(self, candidate: Path, generation: int, note: Note) -> None:
        """Put a finished data directory in the place of a generation that is not there yet; durable at the end."""

    def remove(self, generation: int) -> None:
        """Remove a generation that the stack does not run on, with what an interrupted `install` left."""

    def copies(self) -> bool:
        """Whether `install` copies, so that the candidate is on the disk twice for a time."""


def identifier(control: str) -> str | None:
    """The cluster's identifier, as `pg_controldata` prints it."""
    match = _IDENTIFIER.search(control)
    return match[1] if match else None


def refuse_taken(places: DataPlaces, generation: int) -> None:
    """Raise EngineFailed where anything of this number is there."""
    if generation in places.taken():
        raise EngineFailed(f"data {generation} is there already", hint="nothing was changed; run the command again")
