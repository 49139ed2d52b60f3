"""While a restored copy is not accepted: what is refused, and what health says."""

from __future__ import annotations

from stackctl.errors import BackupFailed
from stackctl.health.model import Check, Status
from stackctl.operations.state import State

_DECIDE = "stackctl restore --accept keeps it, stackctl restore --undo goes back"
_FINISH = "stackctl up finishes it; what is written meanwhile may not be archived"


def refuse_undecided(state: State | None) -> None:
    """Raise BackupFailed where the copy may still be undone: its history is not in the archive, and must not be."""
    if state is not None and not state.generations.accepted:
        raise BackupFailed("the stack runs on a restored copy that was not accepted yet", hint=_DECIDE)


def judge_restored(state: State) -> tuple[Check, ...]:
    """One check, where a restored copy waits for a decision, or for the end of one."""
    if not state.generations.accepted:
        return (Check("restored", Status.WARN, "nothing is archived until the restored copy is accepted", _DECIDE),)
    if state.generations.replaced is not None:
        return (Check("restored", Status.WARN, "what was decided about the restored copy is not finished", _FINISH),)
    return ()
