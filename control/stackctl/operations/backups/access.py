"""Whether the repository can be used, and by nobody else: asked before anything is written to it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.backup.repository import Repository
from stackctl.engine.base import Engine, Programs
from stackctl.errors import ProfileError, failed_disk, unwritable


@contextmanager
def on_disk(root: Path) -> Iterator[None]:
    """Work in the folder. Raises EngineFailed, with the path, where its disk fails or cannot be written."""
    try:
        yield
    except OSError as error:
        if failed := failed_disk(error, root):
            raise failed from error
        raise


def usable_repository(engine: Engine) -> None:
    """Make the engine's repository where it is missing. Raises ProfileError as `make_reachable`."""
    with engine.programs() as programs:
        make_reachable(Repository(engine.repository(), programs.group()), programs)


def make_reachable(repository: Repository, programs: Programs) -> None:
    """Make the repository's folders where they are missing.

    Raises ProfileError with the folder that is in the way: one that cannot be made, that others can reach into, or
    that the account which runs PostgreSQL's programs cannot pass through.
    """
    try:
        repository.create()
    except OSError as error:
        raise unwritable(Path(error.filename or repository.root), error) from error
    _refuse_open(repository)
    for folder in (*reversed(repository.backups_folder.parents), repository.backups_folder):
        if not programs.passes(folder):
            raise ProfileError(
                f"{folder}: the account that runs PostgreSQL's programs cannot pass through it",
                hint=f"chmod o+x {folder}, or set backup.repository to a folder that it can reach",
            )


def _refuse_open(repository: Repository) -> None:
    for folder in (repository.backups_folder, repository.wal_folder):
        if folder.stat().st_mode & stat.S_IRWXO:
            raise ProfileError(
                f"{folder} is open to everybody on this machine", hint=f"backups hold all data: chmod o= {folder}"
            )
    mode = repository.root.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ProfileError(
            f"{repository.root} can be written by everybody on this machine", hint=f"chmod o-w {repository.root}"
        )
