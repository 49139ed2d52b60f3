"""What the metrics and the log of Alertmanager say of one test alert."""

import pytest

from stackctl.operations.alerting.api import samples
from stackctl.operations.alerting.delivery import Delivery, counts, known, log_error
from stackctl.operations.alerting.trial import _result
from stackctl.settings.alerts import AlertReceiver

OPS, MAIL = AlertReceiver("ops", "webhook"), AlertReceiver("mail", "email")
START = ((1, 1, {"serverError": 1}), (5, 0, {}))


def metrics(*receivers, named=True):
    """The exposition after so many attempts, failed ones, and given up by reason, for `ops` and `mail`."""
    lines = []
    for (name, kind), (attempts, failed, given_up) in zip(
        (("ops", "webhook"), ("mail", "email")), receivers, strict=True
    ):
        label = f'integration="{kind}"' + (f',receiver_name="{name}"' if named else "")
        lines.append(f"alertmanager_notification_requests_total{{{label}}} {attempts}")
        lines.append(f"alertmanager_notification_requests_failed_total{{{label}}} {failed}")
        lines += [
            f'alertmanager_notifications_failed_total{{{label},reason="{why}"}} {n}' for why, n in given_up.items()
        ]
    return samples("\n".join(lines))


@pytest.mark.parametrize(
    ("after", "delivered", "reason"),
    [
        (START[0], None, ""),
        ((2, 1, {"serverError": 1}), True, ""),
        # An attempt failed and is tried again: nobody knows yet.
        ((2, 2, {"serverError": 1}), None, ""),
        ((3, 2, {"serverError": 1}), True, ""),
        ((3, 3, {"serverError": 2}), False, "it failed itself"),
        ((2, 2, {"serverError": 1, "clientError": 1}), False, "it refused the message"),
        ((2, 2, {"serverError": 1, "new": 1}), False, "Alertmanager gave up"),
        # It was restarted meanwhile, and counts from 0.
        ((0, 0, {"serverError": 0}), None, ""),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_became_of_it(after, delivered, reason, named):
    before = metrics(*START, named=named)
    found = known(OPS, before, metrics(after, START[1], named=named), {}, 1.0)
    assert (found.delivered if found else None, found.reason if found else "") == (delivered, reason)


def test_the_success_of_another_receiver_is_not_ours():
    after = metrics(START[0], (9, 0, {}))
    assert known(OPS, metrics(*START), after, {}, 1.0) is None
    assert known(MAIL, metrics(*START), after, {}, 1.0).delivered is True


def test_a_silence_is_named():
    found = known(OPS, metrics(*START), metrics(*START), {"ops": "4711"}, 1.0)
    assert (found.delivered, "silenced by 4711" in found.reason) == (False, True)


def test_a_receiver_that_the_metrics_do_not_know_has_no_counts():
    assert counts(metrics(*START), AlertReceiver("new", "slack")).attempts == 0


LOG = [
    'time=x level=INFO msg="Completed loading" err=nothing',
    'time=x level=WARN msg="Notify attempt failed, will retry later" receiver=ops integration=webhook[0] '
    'aggrGroup="{}/{alertname=\\"StackctlTest\\"}:{test=\\"abcd\\"}" attempts=1 '
    'err="Post \\"<redacted>\\": dial tcp 127.0.0.1:1: connect: connection refused"',
    'time=x level=WARN msg="Notify attempt failed, will retry later" receiver=other integration=webhook[0] '
    'aggrGroup="{}:{test=\\"abcd\\"}" attempts=1 err="not mine"',
]


def test_the_log_says_why():
    delivery = Delivery("ops", "webhook", False, 1.0, "other")
    assert log_error(LOG, delivery, "abcd") == 'Post "<redacted>": dial tcp 127.0.0.1:1: connect: connection refused'
    last = 'time=x level=ERROR msg="Notify for alerts failed" err="ops/webhook[0]: notify retry canceled due to ' + (
        'unrecoverable error after 1 attempts: unexpected status code 404: \\u001b[2Jgone"'
    )
    assert log_error([*LOG, f"alertmanager-1  | {last}"], delivery, "abcd") == "unexpected status code 404: ?[2Jgone"
    assert log_error(LOG[:1], delivery, "abcd") == ""
    assert log_error([], delivery, "abcd") == ""


@pytest.mark.parametrize(
    ("deliveries", "code", "errors"),
    [
        ([True, True], 0, []),
        ([True, False], 30, ["alert_undelivered"]),
        ([True, None], 31, ["timeout"]),
        ([None, False], 30, ["timeout", "alert_undelivered"]),
    ],
)
def test_exit_codes(deliveries, code, errors):
    found = [Delivery(f"r{number}", "webhook", each, 0.04, "why") for number, each in enumerate(deliveries)]
    result = _result(found, ())
    assert (result.exit_code, [each.code for each in result.errors]) == (code, errors)
    assert [each["delivered"] for each in result.data["receivers"]] == deliveries
