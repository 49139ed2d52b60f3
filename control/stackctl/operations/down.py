"""`stackctl down`: stop the stack; data stays unless its destruction was asked for by name."""

from __future__ import annotations

from collections.abc import Callable

from stackctl.engine.runner import Runner
from stackctl.errors import UsageError
from stackctl.operations.engines import recorded_engine
from stackctl.operations.lock import locked_if_made
from stackctl.operations.project import Recorded, open_recorded, project_folder
from stackctl.operations.result import Line, Request, Result
from stackctl.operations.state import forget


def down_command(
    request: Request,
    runner: Runner,
    note: Callable[[str], None],
    *,
    destroy: bool,
    confirmed: Callable[[str], str | None],
) -> Result:
    """Stop the services, and with `destroy` remove their data. `confirmed` gives the name that the user typed."""
    with locked_if_made(project_folder(request) / ".stackctl", "down"):
        opened = open_recorded(request)
        if opened.state is None:
            return _result(opened, "nothing was brought up here", stopped=False, destroyed=False)
        if destroy and confirmed(opened.project.name) != opened.project.name:
            raise UsageError(
                f"the data of {opened.project.name} was not destroyed: its name was not given",
                hint=f"--destroy-data --yes-destroy {opened.project.name}",
            )
        engine = recorded_engine(opened, runner)
        was_running = engine.running()
        note("stopping, the database last")
        engine.stop(note)
        if destroy:
            engine.destroy(note)
            forget(opened.project.private, opened.state)
    text = "stopped, data destroyed" if destroy else "stopped; the data stays" if was_running else "was not running"
    return _result(opened, text, stopped=was_running, destroyed=destroy)


def _result(opened: Recorded, text: str, *, stopped: bool, destroyed: bool) -> Result:
    name = opened.project.name
    data = {"name": name, "stopped": stopped, "data_destroyed": destroyed}
    return Result(data, [Line(f"{name}: {text}.", "good")], opened.warnings)
