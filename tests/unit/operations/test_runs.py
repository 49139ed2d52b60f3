"""Restores that were measured, of which nothing but an estimate is made."""

from stackctl.backup.estimate import Run
from stackctl.operations.restoring.runs import measured, remember

RUN = Run(2**30, 3, 10.0, 2.0, 5.0)


def test_the_last_runs_are_remembered(tmp_path):
    for number in range(22):
        remember(tmp_path, Run(number, 3, 10.0, 2.0, 5.0))
    assert [run.bytes for run in measured(tmp_path)] == list(range(2, 22))


def test_a_restore_that_is_done_does_not_fail_for_want_of_a_place_to_note_it(tmp_path):
    """As on a full disk: the stack runs on the copy by then, and the error would say nothing of that."""
    (tmp_path / "restores.json").mkdir()
    remember(tmp_path, RUN)
    assert measured(tmp_path) == []
