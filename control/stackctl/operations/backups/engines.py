"""Which engine takes the backups of a project, and where it cannot."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup import lock
from stackctl.backup.model import Backup
from stackctl.backup.noted import noted_backups
from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.protocol import BackupEngine
from stackctl.backup.repository import Repository, is_dump
from stackctl.engine import noted
from stackctl.engine.base import Engine
from stackctl.engine.project import Project
from stackctl.errors import Locked, Problem, ProfileError, StackError
from stackctl.operations.backups.native import NativeEngine
from stackctl.operations.backups.with_dumps import WithDumps
from stackctl.render import pgbackrest
from stackctl.settings.backup import INSIDE, BackupSettings

_BUILT = "debian"
_TRIES, _PAUSE = 30, 1.0


def backups_of(project: Project, engine: Engine, images: str) -> BackupEngine:
    """What takes the backups of a project. Raises ProfileError where it is not there."""
    if engine.name != INSIDE:
        # What the scheduler's container reads was rendered with the server's own files.
        refuse_unsupported(project, engine.name, images)
        _refuse_unrendered(project, engine)
    native = NativeEngine(engine)
    return native if project.pgbackrest is None else WithDumps(pgbackrest_engine(project, engine), native)


def refuse_unsupported(project: Project, engine: str, images: str) -> None:
    """Raise ProfileError where pgBackRest is asked for and not there."""
    if project.pgbackrest is None:
        return
    if engine != "docker":
        raise ProfileError(
            "backup.engine: pgbackrest runs in the database's container, and the embedded engine has none",
            hint="--engine docker --images debian; or backup.engine: native, with a folder as the repository",
        )
    if images != _BUILT:
        raise ProfileError(
            "backup.engine: the public image of PostgreSQL does not hold pgbackrest",
            hint="--images debian builds one that does; or backup.engine: native, with a folder as the repository",
        )


def refuse_unscheduled(settings: BackupSettings) -> None:
    """Raise ProfileError where the stack is to have a scheduler that could not read what pgBackRest copies."""
    if settings.pgbackrest and settings.scheduled and os.geteuid() != 0:
        raise ProfileError(
            "backup.scheduler: inside needs root where pgbackrest takes the backups: it reads the database's own files",
            hint="scheduler: none, and timers of the machine: stackctl backup schedule --systemd, or --crontab",
        )


def _refuse_unrendered(project: Project, engine: Engine) -> None:
    """The server archives as the last `up` told it: a backup by another program, or elsewhere, would lack its WAL."""
    if not archives_there(project, engine):
        raise ProfileError(
            "the section backup of stackctl.yaml asks for another repository than the server archives to",
            hint="stackctl up brings it in",
        )


def archives_there(project: Project, engine: Engine) -> bool:
    """Whether the server archives to the repository that the project asks for, as far as files tell it."""
    path, chosen = project.rendered / "postgres" / "pgbackrest.conf", project.pgbackrest
    config = path.read_text() if path.is_file() else None
    if chosen is None or config is None:
        return chosen is None and config is None
    folder = None if chosen.remote else project.from_files(_folder(engine))
    return pgbackrest.says(config, chosen, folder)


def _folder(engine: Engine) -> Path:
    return engine.repository() / "pgbackrest"


def pgbackrest_engine(project: Project, engine: Engine) -> PgBackRestEngine:
    """pgBackRest for the stanza of this project, which has the project's name."""
    assert project.pgbackrest is not None, project.name  # noqa: S101
    remote = project.pgbackrest.remote
    folder = None if remote else _folder(engine)
    path = project.work / "backup.lock"

    @contextmanager
    def hold(what: str, shared: bool, tidy: Callable[[], None]) -> Iterator[None]:
        # Its own locks end with its containers; this one keeps runs of ours apart, whatever they are at.
        project.make_work()
        if shared:
            with lock.shared(path, what, tidy):
                yield
        else:
            with lock.exclusive(path, what):
                tidy()
                yield

    def dumps() -> list[Backup]:
        try:
            return [entry for entry in Repository(engine.repository()).dumps() if isinstance(entry, Backup)]
        except OSError:
            # Out of reach, they are as they were last told of: what is known of the others is told all the same.
            with suppress(StackError):
                return [each for each in noted_backups(project.work / noted.FOLDER) if is_dump(each.id)]
            return []

    tool = Tool(engine, project.name, str(remote or folder), folder)
    return PgBackRestEngine(tool, project.work, lambda: datetime.now(UTC), hold, dumps)


@contextmanager
def _after_others(backups: PgBackRestEngine) -> Iterator[None]:
    """With the lock, or without where another run is at work for longer than it takes to make the server known."""
    with ExitStack() as stack:
        for _ in range(_TRIES):
            try:
                stack.enter_context(backups.as_it_is("stackctl up", shared=False))
                break
            except Locked:
                time.sleep(_PAUSE)
        yield


def unready_repository(project: Project, engine: Engine, *, adopt: bool = False) -> list[Problem]:
    """Let pgBackRest know the running server; a warning where it cannot, as the database serves without it too.

    With `adopt`, its cluster takes the place of another one: somebody has just decided for it.
    """
    if project.pgbackrest is None:
        return []
    backups = pgbackrest_engine(project, engine)
    try:
        # The first job of a scheduler that was just started does the same.
        with _after_others(backups):
            backups.make_ready(adopt=adopt)
            backups.write_down()
    except StackError as error:
        return [Problem("repository", f"nothing is archived: {error}", error.hint)]
    return []
