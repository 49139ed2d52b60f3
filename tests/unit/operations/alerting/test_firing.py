"""What Alertmanager lists, as it is told to people and to scripts; answers have the form of its API, version 2."""

from datetime import UTC, datetime

import pytest

from stackctl.engine.base import ServiceState
from stackctl.errors import NoEngine, Unhealthy
from stackctl.operations.alerting.api import alertmanager_of, samples
from stackctl.operations.alerting.firing import _blocks, _unwatched, firing
from stackctl.operations.result import Line
from stackctl.operations.state import State

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
STATE = State("shop", "docker", "", "", {})


def alert(name, severity, since, *, silenced=(), inhibited=(), receivers=("ops",), **notes):
    return {
        "labels": {"alertname": name, "severity": severity, "stack": "shop"},
        "annotations": {"summary": f"{name} it is", **notes},
        "startsAt": since,
        "endsAt": "2026-03-31T12:05:00.000Z",
        "updatedAt": "2026-03-31T12:00:00.000Z",
        "fingerprint": "1",
        "receivers": [{"name": each} for each in receivers],
        "status": {
            "state": "suppressed" if silenced or inhibited else "active",
            "silencedBy": list(silenced),
            "inhibitedBy": list(inhibited),
            "mutedBy": [],
        },
    }


def test_the_worst_comes_first_then_the_oldest():
    found = firing(
        [
            alert("B", "warning", "2026-03-31T11:00:00.000Z"),
            alert("A", "odd", "2026-03-31T08:00:00.000Z"),
            alert("C", "info", "2026-03-31T09:00:00.000Z"),
            alert("D", "critical", "2026-03-31T11:59:00.000Z"),
            alert("E", "warning", "2026-03-31T13:00:00.123+03:00"),
        ]
    )
    assert [each.name for each in found] == ["D", "E", "B", "C", "A"]
    assert found[1].since == "2026-03-31T10:00:00+00:00"


def test_what_is_held_back_says_by_what_and_nobody_is_no_receiver():
    silenced, inhibited, shown = firing(
        [
            alert("A", "critical", "2026-03-31T11:00:00Z", silenced=["s1"], inhibited=["f1"]),
            alert("B", "critical", "2026-03-31T11:00:00Z", inhibited=["f1"]),
            alert("C", "critical", "2026-03-31T11:00:00Z", receivers=["page"]),
        ]
    )
    assert (silenced.state, silenced.silenced_by) == ("silenced", ["s1"])
    assert (inhibited.state, inhibited.inhibited_by) == ("inhibited", ["f1"])
    assert (shown.state, shown.receivers) == ("firing", [])


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-03-31T12:00:05Z", "0 min"),
        ("2026-03-31T11:00:01Z", "59 min"),
        ("2026-03-31T10:30:00Z", "1 h 30 min"),
        ("2026-03-29T09:00:00Z", "2 d 3 h"),
    ],
)
def test_how_long_it_lasts(since, age):
    (table,) = _blocks(firing([alert("A", "critical", since)]), NOW)
    assert table.rows == [["A", "critical", "firing", age, "A it is"]]


def test_a_label_that_would_act_on_a_terminal_is_shown_as_text():
    """Whoever reaches the port may send an alert."""
    (table, line) = _blocks(
        firing([alert("A\x1b[2J", "critical", "2026-03-31T11:00:00Z", runbook_url="https://x/\x07")]), NOW
    )
    assert table.rows[0][0] == "A?[2J"
    assert line.text == "runbook of A?[2J: https://x/?"


def test_nothing_fires_is_said():
    assert _blocks([], NOW) == [Line("nothing fires", "good")]


class Engine:
    def __init__(self, *states):
        self.states = states

    def services(self):
        return self.states


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([ServiceState("prometheus", "running", "healthy")], []),
        ([ServiceState("prometheus", "running", "starting")], ["Prometheus is starting"]),
        ([], ["Prometheus is absent"]),
    ],
)
def test_nothing_fires_is_no_news_where_nobody_looks(states, said):
    assert [each.message.split(":")[0] for each in _unwatched(Engine(*states))] == said


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], "the stack does not run"),
        ([ServiceState("alertmanager", "exited", "unhealthy")], "the stack does not run"),
        ([ServiceState("postgres", "running", "healthy")], "the stack has no Alertmanager"),
        (
            [ServiceState("postgres", "running", "healthy"), ServiceState("alertmanager", "exited", "none")],
            "Alertmanager does not run: exited",
        ),
    ],
)
def test_whoever_else_has_the_port_is_not_asked(states, said):
    with pytest.raises(Unhealthy, match=said):
        alertmanager_of(Engine(*states), STATE)


def test_before_the_first_up_there_is_none():
    with pytest.raises(NoEngine) as caught:
        alertmanager_of(Engine(), None)
    assert caught.value.exit_code == 21


def test_metrics_are_read_with_their_labels():
    text = (
        "# HELP alertmanager_notification_requests_total x\n"
        'alertmanager_notification_requests_total{integration="webhook",receiver_name="a\\"b"} 3\n'
        "alertmanager_alerts 4\n"
        'alertmanager_notifications_failed_total{integration="email",reason="other"} 1e+06\n'
    )
    first, second = samples(text)
    assert (first.labels["integration"], first.labels["receiver_name"], first.value) == ("webhook", 'a\\"b', 3.0)
    assert (second.labels["reason"], second.value) == ("other", 1_000_000.0)
