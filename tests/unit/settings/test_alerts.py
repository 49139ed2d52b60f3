"""The section `alerts` of the project file."""

from datetime import timedelta

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.alerts import AlertReceiver, AlertSettings, alert_settings
from stackctl.settings.project_file import load, load_section


def read(tmp_path, text):
    path = tmp_path / "stackctl.yaml"
    path.write_text(text)
    return alert_settings(load(path).keys)


def fault(tmp_path, receiver, name="ops"):
    with pytest.raises(ProfileError) as caught:
        read(tmp_path, f"alerts:\n  receivers:\n    {name}: {receiver}\n")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("text", ["", "alerts:\n", "alerts:\n  receivers:\n", "alerts: {receivers: {}}\n"])
def test_without_receivers_nobody_is_told(tmp_path, text):
    assert read(tmp_path, text) == AlertSettings((), timedelta(hours=4))


def test_a_receiver_of_each_kind(tmp_path):
    text = """\
alerts:
  repeat: 90m
  receivers:
    oncall: {kind: webhook, url_file: /etc/shop/hook, token_file: token, severities: critical, resolved: false}
    team: {kind: slack, url_file: slack.url, channel: '#ops', severities: [info, critical]}
    mail:
      kind: email
      to: ops@example.com,second@example.com
      sender: shop@example.com
      server: smtp.example.com:587
      username: shop
      password_file: smtp.password
      ca_file: ca.pem
"""
    found = read(tmp_path, text)
    oncall, team, mail = found.receivers
    assert found.repeat == timedelta(minutes=90)
    assert (oncall.name, oncall.kind, oncall.severities, oncall.resolved) == ("oncall", "webhook", ("critical",), False)
    assert oncall.secrets() == {"alert_oncall_url": "url_file", "alert_oncall_token": "token_file"}
    assert (str(oncall.file("url_file", tmp_path)), oncall.file("token_file", tmp_path)) == (
        "/etc/shop/hook",
        tmp_path / "token",
    )
    assert (team.severities, team.options["channel"]) == (("critical", "info"), "#ops")
    assert (mail.severities, mail.resolved) == (("critical", "warning"), True)
    assert mail.options["to"] == "ops@example.com,second@example.com"
    assert found.secrets() == (
        "alert_oncall_url",
        "alert_oncall_token",
        "alert_team_url",
        "alert_mail_password",
        "alert_mail_ca",
    )


def test_where_runbooks_are(tmp_path):
    found = read(tmp_path, "alerts: {runbooks_url: 'https://git.example.com/shop/docs/runbooks/'}\n")
    assert found.runbooks == "https://git.example.com/shop/docs/runbooks"
    assert read(tmp_path, "alerts: {repeat: 4h}\n").runbooks == ""


@pytest.mark.parametrize(
    "text", ["docs/runbooks", "https://", "https:///x", "https://a/{{ end }}", "https://a/b?c", "https://a/#b"]
)
def test_no_place_of_runbooks(tmp_path, text):
    with pytest.raises(ProfileError, match="is no URL of a folder"):
        read(tmp_path, f"alerts: {{runbooks_url: '{text}'}}\n")


MAIL = "kind: email, to: a@example.com, sender: b@example.com, server: 'm.example.com:25'"


@pytest.mark.parametrize(
    ("receiver", "message", "hint"),
    [
        ("{url_file: x}", "kind: is missing", "write kind: ..."),
        ("", "alerts.receivers.ops: holds keys of its own, not a value", "indent its keys below it"),
        ("{kind: pager, url_file: x}", "'pager' is not one of webhook, email, slack", "choose one of"),
        ("{kind: webhook}", "a receiver of kind webhook needs url_file", "write url_file: ..."),
        ("{kind: email, to: a@b.c, sender: a@b.c}", "needs server", "write server: ..."),
        ("{kind: webhook, url_file: x, chanel: y}", "chanel: there is no such key", "did you mean channel?"),
        ("{kind: webhook, url_file: x, channel: y}", "channel is for slack, not for webhook", "take channel out"),
        ("{kind: slack, url_file: x, token_file: y}", "token_file is for webhook, not for slack", "take token_file"),
        (f"{{{MAIL}, url_file: x}}", "url_file is for webhook and slack, not for email", "take url_file out"),
        (f"{{{MAIL}, username: x}}", "username and password_file belong together", "write both, or none"),
        (f"{{{MAIL}, username: x, password_file: y, tls: off}}", "would be sent for all to read", "take out tls: off"),
        (f"{{{MAIL}, ca_file: x, tls: off}}", "ca_file says nothing without tls", "take one of them out"),
        ("{kind: webhook, url_file: x, severities: []}", "names no severity", "take the receiver out"),
        ("{kind: webhook, url_file: x, severities: [critical, waring]}", "'waring' is not one of", "mean warning?"),
        ("{kind: webhook, url_file: x, resolved: maybe}", "'maybe' is not on or off", "write on or off"),
        ("{kind: slack, url_file: x, channel: 'a b'}", "'a b' is no channel", "write '#ops'"),
        ("{kind: slack, url_file: x, channel: '{{ env }}'}", "is no channel", "write '#ops'"),
        ("{kind: email, to: 'a@b.c, d', sender: a@b.c, server: 'b:1'}", "'d' is no address", "with commas"),
        ('{kind: email, to: "a@b.c\\nBcc: x@y.z", sender: a@b.c, server: "b:1"}', "is no address", "with commas"),
        ("{kind: email, to: 'a@{{ .x }}', sender: a@b.c, server: 'b:1'}", "is no address", "with commas"),
        ("{kind: email, to: a@b.c, sender: a@b.c, server: mail}", "'mail' is no HOST:PORT", "smtp.example.com:587"),
        ("{kind: email, to: a@b.c, sender: a@b.c, server: 'mail:0'}", "is no HOST:PORT", "smtp.example.com:587"),
        ("{kind: webhook, url_file: '$HOME/x'}", "is no file", "write the whole path"),
    ],
)
def test_what_can_not_be_used_is_said_with_its_key(tmp_path, receiver, message, hint):
    problem = fault(tmp_path, receiver)
    assert problem.message.startswith("stackctl.yaml:3: alerts.receivers.ops")
    assert message in problem.message
    assert hint in problem.hint


def test_a_secret_in_the_place_of_a_file_is_not_said_again(tmp_path):
    problem = fault(tmp_path, "{kind: slack, url_file: 'https://hooks.example.com/T0/s3cret'}")
    assert "names a file with the URL, not the URL" in problem.message
    assert "s3cret" not in problem.message + problem.hint


@pytest.mark.parametrize("name", ["Ops", "a.b", "x" * 41, "'-a'", '"a\\nb"'])
def test_names_that_no_receiver_may_have(tmp_path, name):
    assert fault(tmp_path, "{kind: webhook, url_file: x}", name).hint == "use up to 40 of a-z, 0-9, _ and -"


def test_the_name_for_alerts_that_go_nowhere_is_taken(tmp_path):
    assert fault(tmp_path, "{kind: webhook, url_file: x}", "page").hint == "take another name"


@pytest.mark.parametrize("span", ["4m", "6d", "121h", "4", "h", "1.5h", "-4h", ""])
def test_spans_that_repeat_nothing(tmp_path, span):
    with pytest.raises(ProfileError, match=r"alerts\.repeat"):
        read(tmp_path, f"alerts: {{repeat: '{span}'}}\n")


@pytest.mark.parametrize(
    ("span", "expected"), [("5m", timedelta(minutes=5)), ("5d", timedelta(days=5)), ("120h", timedelta(days=5))]
)
def test_the_shortest_and_the_longest_span(tmp_path, span, expected):
    assert read(tmp_path, f"alerts: {{repeat: {span}}}\n").repeat == expected


def test_what_is_wrong_elsewhere_does_not_matter_to_the_section(tmp_path):
    path = tmp_path / "stackctl.yaml"
    path.write_text("profile: {ram: 16}\nalerts: {receivers: {ops: {kind: webhook, url_file: x}}}\n")
    found = alert_settings(load_section(path, "alerts").keys)
    assert found.receivers == (AlertReceiver("ops", "webhook", options={"url_file": "x"}),)
