"""What interrupted restores left: ended and removed by the next command that changes anything."""

from __future__ import annotations

from pathlib import Path

from stackctl.engine.base import Engine, Note
from stackctl.engine.runner import Runner
from stackctl.operations.backup import open_backups, working
from stackctl.operations.result import Request
from stackctl.operations.state import load, save


def finish_interrupted(request: Request, runner: Runner, private: Path, note: Note) -> None:
    """Clean up where a restore, its undoing or its acceptance was interrupted. Only under the project's lock."""
    state = load(private)
    if state is None or state.generations.unfinished is None:
        return
    opened = open_backups(request, runner)
    if opened.repository.backups_folder.is_dir():
        with working(opened, "stackctl restore", note):
            pass
    remove_unfinished(private, opened.engine, note)


def remove_unfinished(private: Path, engine: Engine, note: Note) -> None:
    """Remove the generation that the state names as unfinished: a candidate, or data that is no longer wanted.

    Raises StackError where something still uses it; the next run tries again.
    """
    state = load(private)
    if state is None or state.generations.unfinished is None:
        return
    note(f"removing data {state.generations.unfinished}, on which nothing runs")
    engine.places().remove(state.generations.unfinished)
    save(private, state.on(state.generations.finished()))
