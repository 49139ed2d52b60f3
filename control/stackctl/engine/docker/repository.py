"""The Docker engine's side of pgBackRest: its folder on the host, and what containers mount of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackctl.engine.archive_folder import make_archive, make_root
from stackctl.engine.docker import place
from stackctl.engine.project import Project
from stackctl.engine.runner import SystemUser
from stackctl.images.model import Image
from stackctl.render import pgbackrest
from stackctl.sizing.model import Sizing

NAME = "pgbackrest"
_KEYS = "../repository"
_WRITING = ("annotate", "expire")


def folder_of(project: Project, repository: Path) -> Path | None:
    """Where the repository is on this machine; None where it is in an object store."""
    return repository / NAME if project.pgbackrest and not project.away else None


def make(project: Project, repository: Path, user: SystemUser | None, *, scheduled: bool) -> None:
    """Make what containers mount of it, for the database's account `user`. Raises as `make_archive`.

    Beside an object store that is the folder of the dumps, which the scheduler takes too.
    """
    if project.pgbackrest is None:
        make_archive(repository, user, shared=True)
    elif folder := folder_of(project, repository):
        make_archive(folder.parent, user, shared=True, name=folder.name)
    elif scheduled and project.takes_dumps:
        make_root(repository, user)


def extra(project: Project, sizing: Sizing, source: str | None, keys: str = _KEYS) -> Mapping[str, Any]:
    """What the templates need besides; `source` is the repository's folder as the Compose file names it, as `keys`."""
    chosen = project.pgbackrest
    if chosen is None:
        return {}
    mount = {**place.archive(source), "target": pgbackrest.FOLDER} if source else None
    return {
        "pgbackrest": pgbackrest.settings(sizing, chosen, source),
        "archive": mount,
        "archive_command": pgbackrest.archive_command(project.name, sizing.profile, local=not project.away),
        "keys": {"source": keys, "target": pgbackrest.KEYS},
        "way_out": project.away,
    }


def mounts(project: Project, repository: Path) -> Sequence[tuple[Path, str]]:
    """What a container of its own needs to reach the repository: from the host, to the same places as in the stack."""
    found = [
        (project.rendered / "postgres" / "pgbackrest.conf", pgbackrest.CONFIG),
        (project.repository_keys, pgbackrest.KEYS),
    ]
    folder = folder_of(project, repository)
    return [*found, (folder, pgbackrest.FOLDER)] if folder else found


def writes(mounted: Sequence[tuple[Path, str]], words: Sequence[str]) -> bool:
    """Whether a command changes files of a folder, which are those of the database's account there."""
    return any(target == pgbackrest.FOLDER for _, target in mounted) and any(word in _WRITING for word in words)


def network(project: Project) -> str:
    """Docker's own network leads to a store, and is there whether or not the stack is."""
    return "bridge" if project.pgbackrest and project.pgbackrest.remote else "none"


def has_program(image: Image) -> bool:
    """Whether the database's image holds pgBackRest: those that are built here do."""
    return image.source == "debian"
