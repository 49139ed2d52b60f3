"""What cron hears of a list of checks: the exit code."""

import pytest

from stackctl.errors import Problem
from stackctl.health.model import Check, Status
from stackctl.operations.health import checked

OK, WARN, FAIL, SKIP = (Check(status, status, "seen") for status in (Status.OK, Status.WARN, Status.FAIL, Status.SKIP))


STRICT = "warnings, which --strict does not let pass"


@pytest.mark.parametrize(
    ("checks", "lenient", "strict"),
    [
        ([OK, SKIP], (0, "healthy"), (0, "healthy")),
        ([OK, WARN], (0, "fine, with warnings"), (30, STRICT)),
        ([OK, WARN, FAIL], (30, "1 failed"), (30, "1 failed")),
    ],
)
def test_a_warning_is_a_failure_to_who_says_strict(checks, lenient, strict):
    found = [checked(checks, strict=wanted) for wanted in (False, True)]
    assert [(each.exit_code, each.blocks[-1].text) for each in found] == [lenient, strict]


def test_a_warning_of_the_project_file_is_one_too():
    warnings = [Problem("unknown_key", "stackctl.yaml: profil is no key", "profile")]
    assert (checked([OK], warnings).exit_code, checked([OK], warnings, strict=True).exit_code) == (0, 30)
