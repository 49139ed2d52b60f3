"""Copies of what the receivers of alerts keep secret."""

import stat

import pytest

from stackctl.errors import ProfileError
from stackctl.settings.alert_secrets import alert_digest, drop_alert_secrets, ensure_alert_secrets, lost_secrets
from stackctl.settings.alerts import AlertReceiver, AlertSettings
from stackctl.settings.vault import Vault

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"
URL = "https://hooks.example.com/services/T0/s3cret"
OPTIONS = {"url_file": "url", "token_file": "token", "ca_file": "ca"}
CHOSEN = AlertSettings((AlertReceiver("ops", "webhook", options=OPTIONS),))


@pytest.fixture
def vault(tmp_path):
    vault = Vault(tmp_path / ".stackctl" / "secrets")
    vault.ensure()
    for name, text in {"url": URL, "token": "t0ken-ü", "ca": CERTIFICATE}.items():
        (tmp_path / name).write_text(f"  {text}\n")
    return vault


def test_each_file_is_copied_without_the_blanks_around_it(vault, tmp_path):
    names = ("alert_ops_url", "alert_ops_token", "alert_ops_ca")
    assert ensure_alert_secrets(vault, CHOSEN, tmp_path) == names
    assert [vault.path(name).read_text() for name in names] == [URL, "t0ken-ü", CERTIFICATE]
    # The folder is shut; containers read them as users that this machine does not know.
    assert {stat.S_IMODE(vault.path(name).stat().st_mode) for name in names} == {0o444}
    assert ensure_alert_secrets(vault, CHOSEN, tmp_path) == ()
    (tmp_path / "token").write_text("another")
    assert ensure_alert_secrets(vault, CHOSEN, tmp_path) == ("alert_ops_token",)


def test_what_nobody_names_any_more_is_removed_and_nothing_else(vault, tmp_path):
    ensure_alert_secrets(vault, CHOSEN, tmp_path)
    others = {path.name for path in vault.directory.iterdir() if not path.name.startswith("alert_")}
    drop_alert_secrets(vault, AlertSettings((AlertReceiver("ops", "webhook", options={"url_file": "url"}),)))
    assert {path.name for path in vault.directory.iterdir()} == others | {"alert_ops_url"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("url", None, "No such file"),
        ("url", b"", "just one line"),
        ("url", b"hooks.example.com/s3cret", "does not hold one URL"),
        ("url", b"ftp://hooks.example.com/s3cret", "does not hold one URL"),
        ("url", b"https:///s3cret", "does not hold one URL"),
        ("url", b"https://h.example.com/a s3cret", "does not hold one URL"),
        ("url", b"https://h.example.com:x/s3cret", "does not hold one URL"),
        ("url", b"https://a.example.com/\nhttps://b.example.com/s3cret", "just one line"),
        ("token", b"s3cret\x00", "just one line"),
        ("token", b"s3cret\xff", "not UTF-8"),
        ("ca", b"s3cret", "no certificate in PEM"),
    ],
)
def test_a_file_that_can_not_be_used_is_named_and_not_shown(vault, tmp_path, name, content, said):
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ProfileError, match=said) as caught:
        ensure_alert_secrets(vault, CHOSEN, tmp_path)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"alerts.receivers.ops.{name}_file: {tmp_path / name}: ")
    assert "s3cret" not in problem.message + problem.hint
    # One that cannot be used changes none of the others.
    assert not list(vault.directory.glob("alert_*"))


def test_a_file_that_is_gone_keeps_nothing_from_starting(vault, tmp_path):
    """The copy goes on to be sent with, and it is said; one that was never copied is refused."""
    ensure_alert_secrets(vault, CHOSEN, tmp_path)
    assert lost_secrets(vault, CHOSEN, tmp_path) == []
    before = alert_digest(vault, CHOSEN, tmp_path)
    (tmp_path / "token").unlink()
    assert ensure_alert_secrets(vault, CHOSEN, tmp_path) == ()
    assert alert_digest(vault, CHOSEN, tmp_path) == before
    (problem,) = lost_secrets(vault, CHOSEN, tmp_path)
    assert problem.code == "alert_secret"
    assert problem.message.startswith(f"alerts.receivers.ops.token_file: {tmp_path / 'token'}: No such file")
    vault.path("alert_ops_token").unlink()
    assert lost_secrets(vault, CHOSEN, tmp_path) == []
    with pytest.raises(ProfileError, match="token_file"):
        ensure_alert_secrets(vault, CHOSEN, tmp_path)


def test_the_digest_changes_with_a_secret_and_tells_nothing_to_who_lacks_ours(vault, tmp_path):
    first = alert_digest(vault, CHOSEN, tmp_path)
    assert len(first) == 12
    assert first == alert_digest(vault, CHOSEN, tmp_path)
    (tmp_path / "token").write_text("another")
    assert alert_digest(vault, CHOSEN, tmp_path) != first
    other = Vault(tmp_path / "other" / "secrets")
    other.ensure()
    assert alert_digest(other, CHOSEN, tmp_path) != alert_digest(vault, CHOSEN, tmp_path)
    assert alert_digest(vault, AlertSettings(), tmp_path) == ""
    assert alert_digest(Vault(tmp_path / "none"), CHOSEN, tmp_path) == ""
