"""What the containers of a stack mount of the repository, and what they remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from stackctl.engine import noted
from stackctl.engine.archive_folder import BACKUPS, TAIL, WAL
from stackctl.engine.beat import FOLDER
from stackctl.engine.docker import place
from stackctl.engine.docker.client import operator
from stackctl.engine.project import Project


def extra(project: Project, repository: Path, spelled: Callable[[Path], str]) -> Mapping[str, Any]:
    """The mounts by name, as the templates know them; `spelled` writes a folder as the rendered files name it."""
    # The repository of pgBackRest has keys of its own, and is only read by that program: what it holds is written down.
    seen, listed = (None, project.work / noted.FOLDER) if project.pgbackrest else (repository, None)
    # Dumps are in that folder also where the others are in an object store: those from before it was encrypted, too.
    shared = repository if project.takes_dumps or not project.away or _had_dumps(repository) else None
    memory, work = (spelled(folder) for folder in (project.private / FOLDER, project.work))
    return {
        "archive": place.archive(spelled(repository / WAL)),
        "scheduler": place.scheduler(repository, spelled(shared) if shared else None, memory, work),
        "observer": place.observer(seen, spelled(listed or repository)),
        "tail": place.tail(spelled(repository / TAIL), operator()),
    }


def _had_dumps(repository: Path) -> bool:
    """Whether there is a folder for them; of a disk that is away, nothing is mounted."""
    with suppress(OSError):
        return (repository / BACKUPS).is_dir()
    return False
