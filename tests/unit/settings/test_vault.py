"""The vault: made once, kept, guarded."""

import os
import stat
import threading

import bcrypt
import pytest

from stackctl.errors import ProfileError
from stackctl.settings.scram import verifier
from stackctl.settings.secret import Secret
from stackctl.settings.vault import PASSWORDS, Vault

ROLES = {"superuser", "owner", "app", "monitor", "backup", "report"}
NAMES = {f"{role}_{kind}" for role in ROLES for kind in ("password", "verifier")}
NAMES |= {"identity", "grafana_password", "exporter_password", "exporter_web"}


@pytest.fixture
def vault(tmp_path):
    vault = Vault(tmp_path / ".stackctl" / "secrets")
    vault.ensure()
    return vault


def _contents(vault):
    return {path.name: path.read_text() for path in vault.directory.iterdir()}


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_files_are_open_inside_a_shut_directory_under_any_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        vault = Vault(tmp_path / ".stackctl" / "secrets")
        assert set(vault.ensure()) == NAMES
    finally:
        os.umask(before)
    assert _mode(vault.directory) == _mode(vault.directory.parent) == 0o700
    assert {path.name: _mode(path) for path in vault.directory.iterdir()} == dict.fromkeys(NAMES, 0o444)


def test_secrets_differ_are_long_and_stay(vault):
    first = _contents(vault)
    assert vault.ensure() == ()
    assert _contents(vault) == first
    passwords = {vault.password(name).reveal() for name in PASSWORDS}
    assert len(passwords) == 8
    assert {len(password) for password in passwords} == {43}


def test_verifiers_do_not_hold_the_password(vault):
    text = vault.verifier("app").reveal()
    assert text.startswith("SCRAM-SHA-256$4096:")
    assert vault.password("app_password").reveal() not in text


def test_runs_at_the_same_time_agree(tmp_path):
    vaults = [Vault(tmp_path / "s" / "secrets") for _ in range(8)]
    made = []
    threads = [threading.Thread(target=lambda v=vault: made.extend(v.ensure())) for vault in vaults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == sorted(NAMES)
    assert {path.name for path in vaults[0].directory.iterdir()} == NAMES


def test_a_crash_before_the_verifier_is_mended(vault):
    vault.path("app_verifier").unlink()
    password = vault.password("app_password")
    assert vault.ensure() == ("app_verifier",)
    assert vault.password("app_password") == password


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_a_directory_that_others_can_enter_is_refused(vault, mode):
    vault.directory.chmod(mode)
    for use in (vault.ensure, lambda: vault.password("app_password"), vault.fingerprint):
        with pytest.raises(ProfileError) as caught:
            use()
        assert f"open to other users (mode {mode:04o})" in str(caught.value)
        assert caught.value.hint.startswith(f"chmod 700 {vault.directory}")


def _replace(vault, name, text):
    vault.path(name).unlink()
    vault.path(name).write_text(text)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("app_password", lambda _: "", "secret app_password: its file is empty"),
        ("app_password", lambda text: text[:-1], "secret app_password: not what was written to it"),
        ("grafana_password", lambda text: text + "\n", "secret grafana_password: not what was written to it"),
        ("app_verifier", lambda text: text[:-5], "secret app_verifier: it does not belong to app_password"),
        ("identity", lambda _: "", "secret identity: not what was written to it"),
        ("app_password", lambda text: text[::-1], "secret app_verifier: it does not belong to app_password"),
    ],
)
def test_a_damaged_file_is_refused_and_its_text_not_shown(vault, name, change, message):
    text = vault.path(name).read_text()
    _replace(vault, name, change(text))
    with pytest.raises(ProfileError) as caught:
        vault.ensure()
    assert str(caught.value) == message
    assert text[:8] not in caught.value.hint


def test_a_lost_password_is_not_replaced_while_its_verifier_is_there(vault):
    vault.path("owner_password").unlink()
    with pytest.raises(ProfileError, match="secret owner_password: its file is gone"):
        vault.ensure()
    assert not vault.path("owner_password").exists()


def test_a_place_that_cannot_hold_secrets(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProfileError, match="File exists"):
        Vault(tmp_path / "file" / "secrets").ensure()


def test_fingerprints_tell_sets_of_secrets_apart(vault, tmp_path):
    other = Vault(tmp_path / "other")
    other.ensure()
    first = vault.fingerprint()
    assert len(first) == 12
    assert int(first, 16) >= 0
    assert first == Vault(vault.directory).fingerprint()
    assert first != other.fingerprint()


def test_the_fingerprint_outlives_new_roles_and_new_passwords(vault):
    first = vault.fingerprint()
    for name in ("report_password", "report_verifier", "app_password", "app_verifier"):
        vault.path(name).unlink()
    assert set(vault.ensure()) == {"report_password", "report_verifier", "app_password", "app_verifier"}
    assert vault.fingerprint() == first


# sha256 over "app_password\n" ... "superuser_password\n" and the sha256 of the verifiers of app, backup, monitor, owner
# and superuser, as the release before identities had it, over the passwords and salts below: written down from its run.
BEFORE_IDENTITIES = "e42fa488a758"


def _vault_before_identities(folder):
    folder.mkdir(mode=0o700, parents=True)
    for role in sorted(ROLES - {"report"}):
        password = Secret(role.ljust(43, "-"))
        (folder / f"{role}_password").write_text(password.reveal())
        (folder / f"{role}_verifier").write_text(verifier(password, role.ljust(16).encode()[:16]))
    (folder / "grafana_password").write_text("grafana".ljust(43, "-"))
    return Vault(folder)


def test_a_vault_without_an_identity_keeps_the_fingerprint_that_its_volumes_carry(tmp_path):
    vault = _vault_before_identities(tmp_path / ".stackctl" / "secrets")
    assert vault.fingerprint() == BEFORE_IDENTITIES  # of a plan, which writes nothing
    assert not vault.path("identity").exists()
    newer = {"identity", "report_password", "report_verifier", "exporter_password", "exporter_web"}
    assert set(vault.ensure()) == newer
    assert vault.path("identity").read_text() == vault.fingerprint() == BEFORE_IDENTITIES
    vault.path("monitor_password").unlink()
    vault.path("monitor_verifier").unlink()
    vault.ensure()
    assert vault.fingerprint() == BEFORE_IDENTITIES


def test_a_vault_that_was_made_anew_is_another_one(vault):
    first = vault.fingerprint()
    for path in vault.directory.iterdir():
        path.unlink()
    vault.ensure()
    assert vault.fingerprint() != first


def test_an_old_vault_that_lost_a_role_is_another_one(tmp_path):
    vault = _vault_before_identities(tmp_path / ".stackctl" / "secrets")
    for name in ("owner_password", "owner_verifier"):
        vault.path(name).unlink()
    vault.ensure()
    assert vault.fingerprint() != BEFORE_IDENTITIES


def test_the_poolers_list_of_users_has_verifiers_and_follows_them(vault):
    assert vault.ensure_userlist() == ("pgbouncer_userlist",)
    path = vault.path("pgbouncer_userlist")
    lines = path.read_text().splitlines()
    assert lines == [f'"{role}" "{vault.verifier(role).reveal()}"' for role in ("app", "monitor")]
    assert _mode(path) == 0o444
    assert not any(vault.password(name).reveal() in path.read_text() for name in PASSWORDS)
    assert vault.ensure_userlist() == ()
    digest = vault.userlist_digest()
    assert len(digest) == 12
    for name in ("app_password", "app_verifier"):
        vault.path(name).unlink()
    vault.ensure()
    assert vault.ensure_userlist() == ("pgbouncer_userlist",)
    assert vault.userlist_digest() != digest
    assert path.read_text().splitlines()[0] != lines[0]
    assert path.read_text().splitlines()[1] == lines[1]
    assert {each.name for each in vault.directory.iterdir()} == NAMES | {"pgbouncer_userlist"}


def test_before_the_first_secrets_there_is_no_list_of_users(tmp_path):
    assert Vault(tmp_path / "secrets").userlist_digest() == ""


def test_the_exporter_has_a_hash_that_fits_the_password_of_prometheus_made_anew_where_it_does_not(vault):
    def fits():
        name, _, hashed = vault.path("exporter_web").read_text().removeprefix("basic_auth_users:\n  ").partition(": ")
        return name == "prometheus" and bcrypt.checkpw(
            vault.path("exporter_password").read_bytes(), hashed.strip().encode()
        )

    assert fits()
    assert vault.ensure() == ()
    _replace(vault, "exporter_password", "x" * 43)
    assert not fits()
    assert vault.ensure() == ("exporter_web",)
    assert fits()
