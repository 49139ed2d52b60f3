"""Whether anybody is told of alerts."""

import pytest

from stackctl.health.model import Status
from stackctl.operations.alerting.receivers import judge_receivers, judge_secrets, unsent
from stackctl.settings.alert_secrets import ensure_alert_secrets
from stackctl.settings.alerts import AlertReceiver, AlertSettings
from stackctl.settings.vault import Vault

HOOK = AlertReceiver("ops", "webhook")
QUIET = AlertReceiver("log", "webhook", ("info", "warning"))
ALL = ("alertmanager", "prometheus")


@pytest.mark.parametrize(
    ("receivers", "services", "status", "words"),
    [
        ((), ALL, Status.WARN, "sent to nobody"),
        ((HOOK,), ALL, Status.OK, "ops (webhook: critical, warning)"),
        ((HOOK,), ("prometheus",), Status.WARN, "has no Alertmanager"),
        ((), ("prometheus",), Status.SKIP, "has no Alertmanager"),
        ((QUIET,), ALL, Status.WARN, "nobody is told of critical alerts"),
        ((QUIET, HOOK), ALL, Status.OK, "log (webhook: info, warning), ops"),
    ],
)
def test_who_is_told(receivers, services, status, words):
    found = judge_receivers(AlertSettings(receivers), services)
    assert (found.id, found.status) == ("alert_receivers", status)
    assert words in found.evidence
    assert bool(found.hint) is (status is Status.WARN)


def test_doctor_finds_a_file_that_up_would_refuse(tmp_path):
    vault = Vault(tmp_path / "secrets")
    told = AlertSettings((AlertReceiver("ops", "webhook", options={"url_file": "url"}),))
    assert judge_secrets(AlertSettings((HOOK,)), tmp_path, vault) == ()
    (missing,) = judge_secrets(told, tmp_path, vault)
    assert (missing.id, missing.status) == ("alert_secrets", Status.FAIL)
    assert "alerts.receivers.ops.url_file" in missing.evidence
    (tmp_path / "url").write_text("https://hooks.example.com/x")
    assert judge_secrets(told, tmp_path, vault)[0].status is Status.OK
    vault.ensure()
    ensure_alert_secrets(vault, told, tmp_path)
    (tmp_path / "url").unlink()
    (lost,) = judge_secrets(told, tmp_path, vault)
    assert (lost.status, "goes on with the copy" in lost.evidence) == (Status.WARN, True)


def test_a_warning_is_given_once_and_only_where_it_can_be_acted_on():
    assert [each.code for each in unsent(AlertSettings(), ALL)] == ["alerts_unsent"]
    assert [each.code for each in unsent(AlertSettings((HOOK,)), ())] == ["alerts_unsent"]
    assert unsent(AlertSettings((HOOK,)), ALL) == []
    # A small profile has no Alertmanager, and nobody asked for one.
    assert unsent(AlertSettings(), ()) == []
