"""Exit codes are a contract with scripts."""

import pytest

from stackctl import errors
from stackctl.errors import Problem, ProfileError, StackError


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("StackError", 1),
        ("UsageError", 2),
        ("ProfileError", 10),
        ("EditedByHand", 11),
        ("EngineFailed", 20),
        ("NoEngine", 21),
        ("ImageUnavailable", 22),
        ("Unhealthy", 30),
        ("TimedOut", 31),
        ("Locked", 44),
    ],
)
def test_exit_codes(name, exit_code):
    assert getattr(errors, name)("what", hint="do").exit_code == exit_code


def test_no_two_kinds_share_an_exit_code_or_a_word():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StackError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
    # A kind of its own within another is told apart by its word alone.
    own = [kind for kind in kinds if kind.__base__ in (Exception, StackError)]
    assert len({kind.exit_code for kind in own}) == len(own)
    assert {kind.exit_code for kind in kinds} == {kind.exit_code for kind in own}


def test_an_error_of_many_problems_leads_with_the_first():
    error = ProfileError.of([Problem("a", "first", "mend it"), Problem("b", "second", "")])
    assert (str(error), error.hint, error.exit_code) == ("first", "mend it", 10)
    assert [problem.code for problem in error.problems] == ["a", "b"]


def test_code_and_exit_code_can_be_given():
    error = StackError("full", hint="", code="disk", exit_code=20)
    assert (error.problems[0].code, error.exit_code, StackError.exit_code) == ("disk", 20, 1)
