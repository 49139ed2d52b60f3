"""What health says of silences and of messages that did not arrive; answers have the form of the real APIs."""

import pytest

from stackctl.health.model import Status
from stackctl.operations.alerting.checks import alert_checks, judge_delivery, judge_silences, undelivered


def silence(state="active", *, value=".+", regex=True, equal=True, comment="quiet"):
    return {
        "id": "4711",
        "status": {"state": state},
        "matchers": [
            {"name": "alertname", "value": value, "isRegex": regex, "isEqual": equal},
            {"name": "stack", "value": "shop", "isRegex": False, "isEqual": True},
        ],
        "startsAt": "2026-03-31T12:00:00.000Z",
        "endsAt": "2026-04-30T18:30:00.000Z",
        "updatedAt": "2026-03-31T12:00:00.000Z",
        "createdBy": "anna",
        "comment": comment,
    }


@pytest.mark.parametrize(
    ("silences", "status", "evidence"),
    [
        ([], Status.OK, "none"),
        ([silence("expired"), silence("pending")], Status.OK, "none"),
        (
            [silence(), silence("expired")],
            Status.WARN,
            "1 silence: alertname=~.+, stack=shop until 2026-04-30T18:30Z by anna (quiet)",
        ),
        ([silence(regex=False, equal=False, value="X")], Status.WARN, "1 silence: alertname!=X, stack=shop until"),
        ([silence(equal=False)], Status.WARN, "alertname!~.+"),
        ([silence(comment="a\x1b]0;b")], Status.WARN, "(a?]0;b)"),
        ([silence()] * 5, Status.WARN, "5 silences: "),
        ([silence()] * 5, Status.WARN, "(quiet) and 2 more"),
    ],
)
def test_silences(silences, status, evidence):
    found = judge_silences(silences)
    assert (found.id, found.status, bool(found.hint)) == ("alert_silences", status, status is Status.WARN)
    assert evidence in found.evidence


@pytest.mark.parametrize(
    ("failed", "status", "evidence"),
    [
        (None, Status.SKIP, "Prometheus does not say"),
        ({}, Status.OK, "no message was given up within an hour"),
        # Prometheus extrapolates: one that failed is not 0.4.
        ({"team": 0.4, "ops": 2.6}, Status.WARN, "messages given up within an hour: ops 3, team 1"),
    ],
)
def test_messages_that_did_not_arrive(failed, status, evidence):
    found = judge_delivery(failed)
    assert (found.id, found.status, found.evidence) == ("alert_delivery", status, evidence)
    assert bool(found.hint) is (status is Status.WARN)


def test_the_answer_of_prometheus():
    result = [
        {"metric": {"integration": "webhook", "receiver_name": "ops"}, "value": [1, "1.5"]},
        {"metric": {"integration": "email"}, "value": [1, "2"]},
    ]
    found = undelivered({"status": "success", "data": {"resultType": "vector", "result": result}})
    assert found == {"ops": 1.5, "email": 2.0}


def test_what_does_not_run_is_not_asked(tmp_path):
    assert alert_checks(tmp_path, {}, {}) == ()
    (tmp_path / "stackctl.yaml").write_text("alerts: {repeat: 1s}\n")
    (told,) = alert_checks(tmp_path, {"postgres": "healthy", "alertmanager": "exited"}, {})
    assert (told.id, told.status) == ("alert_receivers", Status.WARN)
    assert "'1s' is no span of time" in told.evidence


def test_services_that_do_not_answer_are_left_out(tmp_path):
    """Nothing listens at port 0."""
    services = {"alertmanager": "healthy", "prometheus": "healthy"}
    found = {each.id: each.status for each in alert_checks(tmp_path, services, dict.fromkeys(services, 0))}
    assert found == {"alert_receivers": Status.WARN, "alert_silences": Status.SKIP, "alert_delivery": Status.SKIP}
