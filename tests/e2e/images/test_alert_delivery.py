"""The rendered configuration before amtool and the real Alertmanager, as plain processes, with receivers of ours."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from alert_receivers import mail_receiver, web_receiver
from running_alertmanager import AlertmanagerPrograms, RunningAlertmanager, rendered, running_alertmanager, written
from running_stack import eventually
from stackctl.errors import ProfileError, Unhealthy, UsageError
from stackctl.operations.alerting import firing, trial
from stackctl.operations.alerting.checks import alert_checks
from stackctl.operations.result import Request, Result
from stackctl.settings.model import Ports

SECRET = "hook-s3cret-path"
Known = list[RunningAlertmanager]


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> AlertmanagerPrograms:
    """This machine's own, else those of the built image."""
    names = {"alertmanager": "prometheus-alertmanager", "amtool": "amtool"}
    own = {name: shutil.which(packaged) or shutil.which(name) for name, packaged in names.items()}
    if all(own.values()):
        return AlertmanagerPrograms({name: str(path) for name, path in own.items()})
    image = request.getfixturevalue("built")["alertmanager"]
    return AlertmanagerPrograms({name: f"/usr/bin/{packaged}" for name, packaged in names.items()}, image)


def project(folder: Path, *receivers: str, **secrets: str) -> Path:
    """A project file with these receivers, and files with their secrets."""
    lines = "".join(f"    {receiver}\n" for receiver in receivers)
    (folder / "stackctl.yaml").write_text(f"alerts:\n  repeat: 4h\n  receivers:\n{lines}" if receivers else "")
    for name, text in secrets.items():
        (folder / name).write_text(f"{text}\n")
    return folder


def hook(name: str = "ops", more: str = "") -> str:
    return f"{name}: {{kind: webhook, url_file: url{more}}}"


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/{SECRET}"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Known]:
    """The operations find the process that the test started where they ask for the engine."""
    found: list[RunningAlertmanager] = []
    for module in (firing, trial):
        monkeypatch.setattr(module, "recorded_engine", lambda *_: found[-1])
    return found


def tried(running: RunningAlertmanager, known: Known, name: str | None = None) -> Result:
    known.append(running)
    return trial.trial_command(Request(str(running.project)), None, lambda _text: None, name)  # type: ignore[arg-type]


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"
EVERY_KIND = {
    "nobody": [],
    "webhook": [hook()],
    "webhook, all keys": [hook(more=", token_file: token, ca_file: ca, severities: critical, resolved: false")],
    "slack": ["team: {kind: slack, url_file: url, channel: '#ops', ca_file: ca}"],
    "email": ["mail: {kind: email, to: a@example.com, sender: b@example.com, server: 'mail.example.com:25', tls: off}"],
    "email, all keys": [
        "mail: {kind: email, to: 'a@example.com, c@example.com', sender: b@example.com, server: 'm.example.com:587', "
        "username: b, password_file: token, ca_file: ca, severities: [info, critical]}"
    ],
    "several": [hook("a"), hook("b", ", severities: info"), "c: {kind: slack, url_file: url}"],
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_amtool_takes_every_kind_of_receiver(programs: AlertmanagerPrograms, tmp_path: Path, kind: str) -> None:
    folder = project(tmp_path, *EVERY_KIND[kind], url=url(1), token="t0ken", ca=CERTIFICATE)
    files = rendered(folder, Ports(), {})
    where = written(folder, files)
    argv = [*programs.argv("amtool", tmp_path), "check-config", str(where / "alertmanager.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("SUCCESS")) == (0, 2), done.stdout + done.stderr
    text = b"".join(file.content for file in files).decode()
    assert not any(secret in text for secret in (SECRET, "t0ken", "BEGIN CERTIFICATE"))


def test_amtool_says_who_is_told(programs: AlertmanagerPrograms, tmp_path: Path) -> None:
    """The judge of routes is Alertmanager's own."""
    receivers = [hook("pager", ", severities: critical"), hook("team"), hook("all", ", severities: [info, warning]")]
    where = written(tmp_path, rendered(project(tmp_path, *receivers, url=url(1)), Ports(), {}))

    def told(*labels: str) -> str:
        argv = [
            *programs.argv("amtool", tmp_path),
            "config",
            "routes",
            "test",
            f"--config.file={where}/alertmanager.yml",
        ]
        return subprocess.run([*argv, *labels], capture_output=True, text=True, check=True).stdout.strip()

    assert told("alertname=PostgresDown", "severity=critical") == "pager,team"
    assert told("alertname=TableBloat", "severity=warning") == "team,all"
    assert told("alertname=DatabaseRestarted", "severity=info") == "all"
    assert told("alertname=Unlabelled") == "page"
    assert told("alertname=StackctlTest", "severity=info", "receiver=pager") == "pager"


def test_a_test_reaches_the_receiver_and_is_over(programs: AlertmanagerPrograms, tmp_path: Path, known: Known) -> None:
    with web_receiver() as web:
        project(tmp_path, hook(more=", token_file: token"), url=url(web.port), token="t0ken")
        with running_alertmanager(tmp_path, programs) as running:
            result = tried(running, known)
            assert result.exit_code == 0, result
            (found,) = result.data["receivers"]
            assert (found["name"], found["kind"], found["delivered"], found["reason"]) == ("ops", "webhook", True, "")
            eventually(lambda: web.names("resolved") == ["StackctlTest"], 20, "it is over")
            assert web.names("firing") == ["StackctlTest"]
            first = web.posted[0]
            assert (first.path, first.headers["Authorization"]) == (f"/{SECRET}", "Bearer t0ken")
            assert first.alerts("firing")[0]["labels"]["stack"] == "shop"
            assert first.body["externalURL"] == f"http://127.0.0.1:{running.port}"
            # The next test is an alert of its own.
            assert tried(running, known, "ops").exit_code == 0
            eventually(lambda: len(web.names("resolved")) == 2, 20, "the second one is over")


def test_a_new_secret_counts_without_a_restart(programs: AlertmanagerPrograms, tmp_path: Path, known: Known) -> None:
    with web_receiver() as web:
        project(tmp_path, hook(), url=url(1))
        with running_alertmanager(tmp_path, programs) as running:
            (tmp_path / "url").write_text(url(web.port))
            rendered(tmp_path, Ports(), {})
            assert tried(running, known).exit_code == 0
    assert web.names() == ["StackctlTest"]


@pytest.mark.parametrize("status", [404, 503])
def test_a_receiver_that_refuses(programs: AlertmanagerPrograms, tmp_path: Path, known: Known, status: int) -> None:
    """404 is given up at once, 503 is tried again for as long as Alertmanager has patience."""
    with web_receiver() as web, web_receiver() as good:
        web.status = status
        receivers = [hook(), "fine: {kind: webhook, url_file: good}"]
        project(tmp_path, *receivers, url=url(web.port), good=url(good.port))
        with running_alertmanager(tmp_path, programs) as running:
            result = tried(running, known)
            assert result.exit_code == 30
            bad, fine = result.data["receivers"]
            assert (bad["name"], bad["delivered"], fine["name"], fine["delivered"]) == ("ops", False, "fine", True)
            assert str(status) in bad["reason"]
            (error,) = result.errors
            assert error.code == "alert_undelivered"
            assert error.message.startswith("ops (webhook): not delivered: ")
            assert SECRET not in json.dumps(result.data) + str(result.errors) + running.log.read_text()


def test_nobody_listens_there(programs: AlertmanagerPrograms, tmp_path: Path, known: Known) -> None:
    project(tmp_path, hook(), url=url(1))
    with running_alertmanager(tmp_path, programs) as running:
        begun = time.monotonic()
        result = tried(running, known)
        assert result.exit_code == 30
        assert "connection refused" in result.data["receivers"][0]["reason"]
        assert time.monotonic() - begun < trial.PATIENCE


def test_a_silence_that_would_hold_real_alerts_back_is_found(
    programs: AlertmanagerPrograms, tmp_path: Path, known: Known
) -> None:
    with web_receiver() as web:
        project(tmp_path, hook(), url=url(web.port))
        with running_alertmanager(tmp_path, programs) as running:
            everything = {"name": "alertname", "value": ".+", "isRegex": True, "isEqual": True}
            span = {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
            silence = {"matchers": [everything], **span, "createdBy": "somebody", "comment": "quiet"}
            api = f"http://127.0.0.1:{running.port}/api/v2/silences"
            number = httpx.post(api, json=silence).json()["silenceID"]
            result = tried(running, known)
            assert result.exit_code == 30
            assert f"silenced by {number}" in result.data["receivers"][0]["reason"]
            services = {"alertmanager": "healthy"}
            checks = {each.id: each for each in alert_checks(tmp_path, services, {"alertmanager": running.port})}
            assert checks["alert_silences"].evidence == (
                "1 silence: alertname=~.+ until 2099-01-01T00:00Z by somebody (quiet)"
            )
            running.send({"alertname": "AppDown", "severity": "critical"})
            (listed,) = [each for each in listed_now(running, known) if each["name"] == "AppDown"]
            assert (listed["state"], listed["silenced_by"]) == ("silenced", [number])
    assert web.posted == []


def listed_now(running: RunningAlertmanager, known: Known) -> list[dict[str, Any]]:
    known.append(running)
    found: list[dict[str, Any]] = firing.list_command(Request(str(running.project)), None).data["alerts"]  # type: ignore[arg-type]
    return found


def test_a_database_that_is_down_silences_what_follows_and_nothing_else(
    programs: AlertmanagerPrograms, tmp_path: Path, known: Known
) -> None:
    with web_receiver() as web:
        project(tmp_path, hook(more=", severities: [critical, warning, info]"), url=url(web.port))
        with running_alertmanager(tmp_path, programs) as running:
            other = {"alertname": "PoolSaturation", "severity": "warning", "stack": "other"}
            running.send(
                {"alertname": "PostgresDown", "severity": "critical", "job": "postgres"},
                {"alertname": "PoolSaturation", "severity": "warning", "job": "app"},
                {"alertname": "PostgresExporterDown", "severity": "warning", "job": "postgres"},
                {"alertname": "HttpErrorBudgetBurn", "severity": "critical"},
                {"alertname": "ScrapeFailing", "severity": "warning", "job": "stackctl"},
                {"alertname": "ScrapeFailing", "severity": "warning", "job": "app"},
                {"alertname": "DiskFilling", "severity": "critical"},
                {"alertname": "BackupTooOld", "severity": "critical"},
                other,
            )
            sent = ["BackupTooOld", "DiskFilling", "PoolSaturation", "PostgresDown", "ScrapeFailing"]
            eventually(lambda: sorted(web.names()) == sent, 20, "what is not silenced is sent")
            states = {
                (a["name"], a["labels"]["stack"], a["labels"].get("job")): a["state"]
                for a in listed_now(running, known)
            }
            assert {key[0] for key, state in states.items() if state == "inhibited"} == {
                "PoolSaturation",
                "PostgresExporterDown",
                "HttpErrorBudgetBurn",
                "ScrapeFailing",
            }
            assert states["PoolSaturation", "other", None] == "firing"
            assert states["ScrapeFailing", "shop", "app"] == "firing"
            time.sleep(2)
            assert sorted(web.names()) == sent


def test_an_exporter_that_is_away_and_the_worse_of_two(
    programs: AlertmanagerPrograms, tmp_path: Path, known: Known
) -> None:
    project(tmp_path)
    with running_alertmanager(tmp_path, programs) as running:
        table = {"alertname": "TableBloat", "relname": "orders"}
        running.send(
            {"alertname": "PostgresExporterDown", "severity": "warning"},
            {"alertname": "ConnectionsHigh", "severity": "warning"},
            {"alertname": "PoolSaturation", "severity": "warning"},
            {**table, "severity": "critical"},
            {**table, "severity": "warning"},
            {**table, "severity": "warning", "relname": "lines"},
        )
        found = [
            (each["name"], each["severity"], each["labels"].get("relname"), each["state"])
            for each in listed_now(running, known)
        ]
    assert sorted(found, key=str) == [
        ("ConnectionsHigh", "warning", None, "inhibited"),
        ("PoolSaturation", "warning", None, "firing"),
        ("PostgresExporterDown", "warning", None, "firing"),
        ("TableBloat", "critical", "orders", "firing"),
        ("TableBloat", "warning", "lines", "firing"),
        ("TableBloat", "warning", "orders", "inhibited"),
    ]
    assert found[0][1] == "critical"


def test_what_slack_and_a_mailbox_show(programs: AlertmanagerPrograms, tmp_path: Path, known: Known) -> None:
    with web_receiver() as web, mail_receiver() as (port, mails):
        mail = f"{{kind: email, to: ops@example.com, sender: shop@example.com, server: '127.0.0.1:{port}', tls: off}}"
        project(tmp_path, "team: {kind: slack, url_file: url, channel: '#ops'}", f"mail: {mail}", url=url(web.port))
        with running_alertmanager(tmp_path, programs) as running:
            running.send({"alertname": "AppDown", "severity": "critical"})
            eventually(lambda: web.posted and mails, 20, "both are told")
            assert tried(running, known).exit_code == 0
            burn = {"alertname": "HttpErrorBudgetBurn"}
            running.send(*({**burn, "severity": severity, "route": severity} for severity in ("critical", "warning")))
            title = "[ALERT x2] HttpErrorBudgetBurn on shop"
            eventually(lambda: any(mail["Subject"] == title for mail in mails), 20, "both severities in one message")
    said = web.posted[0].body
    (attachment,) = said["attachments"]
    assert (said["channel"], attachment["title"]) == ("#ops", "[CRITICAL] AppDown on shop")
    assert attachment["text"].startswith("so it is\nSince: 20")
    assert (mails[0]["Subject"], mails[0]["To"], mails[0]["From"]) == (
        "[CRITICAL] AppDown on shop",
        "ops@example.com",
        "shop@example.com",
    )
    plain = next(part for part in mails[0].walk() if part.get_content_type() == "text/plain")
    assert "so it is" in str(plain.get_payload())
    assert any("StackctlTest" in str(mail["Subject"]) for mail in mails)


@pytest.mark.parametrize("place", ["", "https://git.example.com/shop/runbooks/"])
def test_links_lead_where_the_project_says(programs: AlertmanagerPrograms, tmp_path: Path, place: str) -> None:
    """The rules name pages by a path, which nobody can open from a message. The embedded engine has no Grafana."""
    pages = {"runbook_url": "docs/runbooks/AppDown.md", "dashboard_url": "/d/stackctl-overview"}
    with web_receiver() as web:
        project(tmp_path, "team: {kind: slack, url_file: url}", url=url(web.port))
        if place:
            with (tmp_path / "stackctl.yaml").open("a") as file:
                file.write(f"  runbooks_url: {place}\n")
        with running_alertmanager(tmp_path, programs) as running:
            running.send({"alertname": "AppDown", "severity": "critical"}, **pages)
            eventually(lambda: web.posted, 20, "it is told")
    (attachment,) = web.posted[0].body["attachments"]
    page = "https://git.example.com/shop/runbooks/AppDown.md"
    assert attachment["title_link"] == (page if place else f"http://127.0.0.1:{running.port}")
    assert f"Runbook: {page if place else 'docs/runbooks/AppDown.md'}\n" in attachment["text"]
    assert "Dashboard: /d/stackctl-overview" in attachment["text"]


def test_what_can_not_be_tested_says_why(programs: AlertmanagerPrograms, tmp_path: Path, known: Known) -> None:
    project(tmp_path)
    with running_alertmanager(tmp_path, programs) as running:
        with pytest.raises(ProfileError, match="sent to nobody") as none:
            tried(running, known)
        assert (none.value.exit_code, none.value.problems[0].code) == (10, "no_receiver")
        project(tmp_path, hook(), url=url(1))
        with pytest.raises(ProfileError, match="runs without ops"):
            tried(running, known)
        with pytest.raises(UsageError, match="no receiver 'oops'") as typo:
            tried(running, known, "oops")
        assert (typo.value.exit_code, typo.value.hint) == (2, "did you mean ops?")
        running.state = "exited"
        with pytest.raises(Unhealthy, match="the stack does not run") as stopped:
            tried(running, known)
        assert (stopped.value.exit_code, stopped.value.hint) == (30, "stackctl up")
    running.state = "running"
    with pytest.raises(Unhealthy, match="Alertmanager does not answer"):
        listed_now(running, known)
