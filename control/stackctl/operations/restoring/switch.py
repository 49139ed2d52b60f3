"""Let the stack run on other data: stopped, switched, started; what fails goes back by itself."""

from __future__ import annotations

from pathlib import Path

from stackctl.backup.generation import Generations
from stackctl.engine.base import Note
from stackctl.engine.runner import Runner
from stackctl.operations.apply import begin, end
from stackctl.operations.engines import recorded_engine
from stackctl.operations.repository_keys import bring_keys, put_back
from stackctl.operations.result import Request
from stackctl.operations.stack import Prepared, prepare
from stackctl.operations.state import State, load, save
from stackctl.render.model import File
from stackctl.render.write import compare, snapshot, write
from stackctl.settings.repository_keys import held_keys


def switch(
    request: Request, runner: Runner, prepared: Prepared, to: Generations, timeout: float, note: Note
) -> Prepared:
    """Stop the stack, write which data it has, start it; gives it back as it is then, healthy.

    Raises what went wrong, after the stack runs again on what it had.
    """
    project = prepared.opened.project
    before, ran, keys = snapshot(project.rendered), prepared.engine.running(), held_keys(project.repository_keys)
    back = load(project.private) or prepared.state
    begin(project.private)
    try:
        if ran:
            note("stopping, the database last")
            prepared.engine.stop(note)
        # From here on a run that is killed is finished by `up`, on these data.
        save(project.private, prepared.state.on(to))
        after = prepare(request, runner)
        bring_keys(after)
        write(project.rendered, after.files())
        note(f"starting on data {to.current}")
        after.engine.start(after.deployment, (), timeout, note)
    except (Exception, KeyboardInterrupt) as error:
        note("interrupted" if isinstance(error, KeyboardInterrupt) else f"failed: {error}")
        try:
            _stop(request, runner, back, note)
            if before:
                _write_back(project.rendered, before)
            put_back(project, keys)
            if ran:
                _start(request, runner, timeout, note)
            end(project.private)
        except Exception as second:
            note(f"going back failed too: {second}; stackctl up tries it again")
        raise
    end(project.private)
    return after


def _stop(request: Request, runner: Runner, back: State, note: Note) -> None:
    """Stop what runs on the data that failed, and write that the stack has its old data."""
    note("going back to the data before")
    prepared = prepare(request, runner)
    prepared.engine.stop(note)
    record(prepared.opened.project.private, back)


def record(private: Path, back: State) -> None:
    """Write the state where it is another one: on a full disk, the old one may never have left."""
    if load(private) != back:
        save(private, back)


def _write_back(rendered: Path, before: tuple[File, ...]) -> None:
    if compare(rendered, before):
        write(rendered, before)


def _start(request: Request, runner: Runner, timeout: float, note: Note) -> None:
    """Start what was recorded, from the files that were."""
    prepared = prepare(request, runner)
    engine = recorded_engine(prepared.opened, runner)
    engine.start(engine.deployment(prepared.deployment.services), (), timeout, note)
