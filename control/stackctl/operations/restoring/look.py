"""`stackctl restore --dry-run`: the project as it is, with nothing made, finished or removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stackctl.engine.base import Engine, Note
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, ProfileError, RestoreRefused
from stackctl.operations.backups.engines import backups_of
from stackctl.operations.lock import locked_if_made
from stackctl.operations.project import project_folder
from stackctl.operations.restoring.plan import Asked, Plan, make_plan, refuse_other_engine
from stackctl.operations.result import Request
from stackctl.operations.stack import Prepared, prepare
from stackctl.operations.state import load
from stackctl.settings.repository_keys import FILE

_WHAT = "stackctl restore --dry-run"
_ASKS = "stackctl restore brings them here, and on a terminal shows the plan and asks before it restores"
_UNREAD = "PostgreSQL's programs are not here yet, so that nobody read when the last archived commit was"


@contextmanager
def looking(request: Request, runner: Runner) -> Iterator[Prepared]:
    """The project under its lock. Raises RestoreRefused where an interrupted run is to be finished first."""
    private = project_folder(request) / ".stackctl"
    with locked_if_made(private, "restore --dry-run"):
        state = load(private)
        if state is not None and state.generations.unfinished is not None:
            raise RestoreRefused(
                f"a run was interrupted, and what it left, data {state.generations.unfinished}, is to be removed first",
                hint="stackctl up does that, and so does stackctl restore; --dry-run changes nothing",
            )
        prepared = prepare(request, runner)
        refuse_other_engine(prepared)
        yield prepared


def plan_alone(prepared: Prepared, asked: Asked, note: Note) -> tuple[Plan, list[Problem]]:
    """The plan, and what could not be found out for it. Raises as `make_plan`."""
    project, engine = prepared.opened.project, prepared.engine
    backups = backups_of(project, engine, prepared.choice.images)
    ready = can_read(project, engine, _ASKS)
    with backups.as_it_is(_WHAT):
        return make_plan(prepared, backups, asked, note, reading=ready), unread(_ASKS) if not ready else []


def can_read(project: Project, engine: Engine, hint: str) -> bool:
    """Whether WAL can be read with nothing made before.

    Raises RestoreRefused, with a hint at what brings it here, where without that nobody knows what backups there are.
    """
    ready = readable(engine)
    if project.pgbackrest is not None and not (ready and (project.repository_keys / FILE).is_file()):
        raise RestoreRefused(
            "the programs and keys for the repository are not on this machine yet, and --dry-run makes nothing",
            hint=hint,
        )
    return ready


def unread(hint: str) -> list[Problem]:
    """What is to be said of a plan for which no WAL was read."""
    return [Problem("wal_unread", _UNREAD, hint)]


def readable(engine: Engine) -> bool:
    """Whether PostgreSQL's programs can be run with nothing made before."""
    if engine.running():
        return True
    try:
        with engine.programs() as programs:
            return programs.at_hand()
    except (OSError, ProfileError):
        # Neither the folders nor the passwords are there, as on a machine on which nothing ran yet.
        return False
