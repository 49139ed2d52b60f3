"""Which data a stack runs on, through restores, undoing and acceptance."""

from stackctl.backup.generation import Generations, generations_of

FIRST = Generations()


def test_a_restore_that_is_undone_leaves_its_number_taken():
    restored = FIRST.begun().restored(before=True)
    assert restored == Generations(current=1, before=0, accepted=False, unfinished=None, last=1)
    undone = restored.undone()
    assert undone == Generations(current=0, before=None, accepted=True, unfinished=None, last=1, replaced=1)
    assert (undone.settled().unfinished, undone.settled().replaced) == (1, None)
    again = undone.settled().finished().begun()
    assert (again.current, again.unfinished) == (0, 2), "the copy that was undone never comes back under its number"


def test_a_restore_that_is_accepted_lets_go_of_what_was_before_once_the_stack_runs():
    accepted = FIRST.begun().restored(before=True).content()
    assert accepted == Generations(current=1, before=None, accepted=True, unfinished=None, last=1, replaced=0)
    settled = accepted.settled()
    assert (settled.unfinished, settled.replaced) == (0, None)
    assert settled.finished().begun().restored(before=True).before == 1


def test_a_candidate_that_failed_changes_nothing_but_the_next_number():
    assert FIRST.begun().finished() == Generations(last=1)


def test_without_data_before_there_is_nothing_to_go_back_to():
    lost = FIRST.begun().restored(before=False)
    assert (lost.before, lost.accepted) == (None, False)
    assert lost.content().replaced is None


def test_a_record_of_another_version_is_read_as_far_as_it_goes():
    found = generations_of({"docker": {"current": 3, "last": 4, "colour": "blue"}, "embedded": "broken"})
    assert found == {"docker": Generations(current=3, last=4)}
    assert generations_of(None) == {}
