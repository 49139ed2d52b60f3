"""What interrupted restores left: ended and removed by the next command that changes anything."""

from __future__ import annotations

from pathlib import Path

from stackctl.backup.repository import Repository
from stackctl.engine.base import Engine, Note
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, StackError
from stackctl.operations.backup_section import with_backups
from stackctl.operations.backups.engines import pgbackrest_engine
from stackctl.operations.backups.native import NativeEngine
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Request
from stackctl.operations.state import load, save


def finish_interrupted(request: Request, runner: Runner, private: Path, note: Note) -> None:
    """Clean up where a restore, its undoing or its acceptance was interrupted. Only under the project's lock."""
    state = load(private)
    if state is None or state.generations.unfinished is None:
        return
    recorded, _ = with_backups(open_recorded(request))
    engine = recorded_engine(recorded, runner)
    # Whatever takes the backups by now: copies are built beside plain files.
    if Repository(engine.repository()).backups_folder.is_dir():
        with NativeEngine(engine).working("stackctl restore", note):
            pass
    if recorded.project.pgbackrest is not None:
        with pgbackrest_engine(recorded.project, engine).working("stackctl restore", note):
            pass
    remove_unfinished(private, engine, note)


def settle(private: Path, engine: Engine, note: Note) -> tuple[Problem, ...]:
    """Remove what the stack ran on before. Only once it runs on its present data; gives back what stays."""
    state = load(private)
    if state is None or state.generations.replaced is None:
        return ()
    save(private, state.on(state.generations.settled()))
    try:
        remove_unfinished(private, engine, note)
    except StackError as error:
        return (Problem("not_removed", str(error), "the next stackctl up tries it again"),)
    return ()


def remove_unfinished(private: Path, engine: Engine, note: Note) -> None:
    """Remove the generation that the state names as unfinished: a candidate, or data that was settled to go.

    Raises StackError where something still uses it; the next run tries again.
    """
    state = load(private)
    if state is None or state.generations.unfinished is None:
        return
    note(f"removing data {state.generations.unfinished}, on which nothing runs")
    engine.places().remove(state.generations.unfinished)
    save(private, state.on(state.generations.finished()))
