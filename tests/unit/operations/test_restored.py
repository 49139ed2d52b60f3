"""What health says of a restored copy, until all is done that was decided about it."""

import pytest

from stackctl.backup.generation import Generations
from stackctl.health.model import Status
from stackctl.operations.restored import judge_restored
from stackctl.operations.state import State

RESTORED = Generations().begun().restored(before=True)


def judged(generations):
    return [
        (check.status, check.hint)
        for check in judge_restored(State("shop", "embedded", "asked for", "", {"embedded": 18}).on(generations))
    ]


@pytest.mark.parametrize("decided", [RESTORED.content(), RESTORED.undone()])
def test_an_undecided_copy_and_an_unfinished_decision_are_warnings_with_their_own_ways_on(decided):
    ((status, hint),) = judged(RESTORED)
    assert (status, "--undo goes back" in hint) == (Status.WARN, True)
    ((status, hint),) = judged(decided)
    assert (status, hint.startswith("stackctl up finishes it")) == (Status.WARN, True)
    assert judged(decided.settled()) == []
