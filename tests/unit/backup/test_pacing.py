"""The pace beside a server that answers badly."""

import time

from stackctl.backup.pacing import pacing
from stackctl.errors import Unhealthy


def test_a_copy_goes_on_where_the_server_no_longer_answers():
    answers = [[{"moment": 0.0, "active": 0.0, "transactions": 0, "at_work": 9}]]

    def ask(_sql):
        if answers:
            return answers.pop()
        raise Unhealthy("it does not answer", hint="")

    with pacing(ask, lambda _line: None, 0) as share:
        assert share() == 0.0, "the first look is at the server alone"
        deadline = time.monotonic() + 60
        while share() == 0.0 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert share() == 0.05


def test_a_copy_beside_nobody_begins_at_full_speed():
    def ask(_sql):
        return [{"moment": 0.0, "active": 0.0, "transactions": 0, "at_work": 2}]

    with pacing(ask, lambda _line: None, 0) as share:
        assert share() == 1.0
