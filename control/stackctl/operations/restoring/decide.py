"""`stackctl restore --undo` and `--accept`: back to the data before, or on with the restored copy for good."""

from __future__ import annotations

from typing import Any

from stackctl.backup.generation import Generations
from stackctl.errors import Problem, RestoreRefused, StackError, UsageError
from stackctl.operations.apply import carry_out, make_ready
from stackctl.operations.backups.engines import unready_repository
from stackctl.operations.plan import find_changes
from stackctl.operations.restoring.in_place import How, opened
from stackctl.operations.restoring.leftovers import settle
from stackctl.operations.restoring.present import refuse_gone
from stackctl.operations.restoring.switch import switch
from stackctl.operations.result import Line, Request, Result
from stackctl.operations.stack import Prepared, prepare
from stackctl.operations.state import save

_CONSENT = "data is removed for good: --yes consents, where there is no terminal to ask on"
_NONE = "there is no restored copy to decide about"
_FINISH = "stackctl up finishes it"
_TOO_LATE = Problem("accepted", "the copy is accepted all the same: the archive may have its history by now", _FINISH)


def undo_command(request: Request, how: How) -> Result:
    """Go back to the data before the restore; the copy is removed, with what was written to it since.

    Raises UsageError where nobody agreed to that, RestoreRefused where there is nothing to go back from or to.
    """
    with opened(request, how) as prepared:
        found = _undecided(prepared)
        if found.before is None:
            raise RestoreRefused("there was no data before the restore", hint="stackctl restore --accept keeps it")
        refuse_gone(prepared.engine.places(), found.before)
        lines = [
            f"back to data {found.before}, as it was when the restore stopped it",
            f"data {found.current}, the restored copy, is removed with everything that was written to it since",
        ]
        if not how.agreed(lines):
            raise UsageError("nothing was undone", hint=_CONSENT)
        after = switch(request, how.runner, prepared, found.undone(), how.timeout, how.note)
        return _decided(after, how, "runs on the data before the restore again; its archive goes on where it was.")


def accept_command(request: Request, how: How) -> Result:
    """Keep the restored copy: archive from it, and remove the data before.

    Raises UsageError where nobody agreed to that, RestoreRefused where there is no copy.
    """
    with opened(request, how) as prepared:
        found = _undecided(prepared)
        gone = [] if found.before is None else [f"data {found.before}, from before the restore, is removed"]
        if not how.agreed([f"data {found.current} is kept, and archived as a timeline of its own", *gone]):
            raise UsageError("nothing was accepted", hint=_CONSENT)
        after = _accept(request, how, prepared, found)
        return _decided(after, how, "keeps the restored copy, and archives it. Take a backup of it: stackctl backup")


def _accept(request: Request, how: How, prepared: Prepared, found: Generations) -> Prepared:
    """Let the stack archive. What fails before the server may have done so accepts nothing; after that, it is accepted.

    A history in the archive that is the newest there, and undone, would be taken for the present one.
    """
    private, undecided = prepared.opened.project.private, prepared.opened.state or prepared.state
    save(private, undecided.on(found.content()))
    try:
        after = prepare(request, how.runner)
        changes = find_changes(after) if after.engine.running() else None
        ready = make_ready(after, changes, how.runner, how.note) if changes else None
    except BaseException:
        save(private, undecided)
        raise
    if changes and ready:
        try:
            carry_out(after, changes, ready, how.timeout, how.runner, how.note)
        except BaseException as error:
            _tell_accepted(error, how)
            raise
    return after


def _tell_accepted(error: BaseException, how: How) -> None:
    if isinstance(error, StackError):
        error.problems += (_TOO_LATE,)
    else:
        how.note(f"{_TOO_LATE.message}; {_TOO_LATE.hint}")


def _undecided(prepared: Prepared) -> Generations:
    found = prepared.state.generations
    if not found.accepted:
        return found
    if found.replaced is not None:
        # The copy has the higher number.
        decided = "accepted" if found.current > found.replaced else "undone"
        raise RestoreRefused(f"the restored copy was {decided}, and only that is not finished yet", hint=_FINISH)
    raise RestoreRefused(_NONE, hint="stackctl restore --dry-run shows what a restore would do")


def _decided(after: Prepared, how: How, text: str) -> Result:
    private = after.opened.project.private
    left = settle(private, after.engine, how.note)
    if after.engine.running():
        left = (*left, *unready_repository(after.opened.project, after.engine, adopt=True))
    data: dict[str, Any] = {"generation": after.state.generations.current, "accepted": True}
    return Result(data, [Line(f"{after.opened.project.name} {text}", "good")], (*after.warnings, *left))
