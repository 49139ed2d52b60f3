"""What the receivers of alerts keep secret: copied from the files that the project names into its folder of secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from stackctl.errors import Problem, ProfileError
from stackctl.settings.alerts import RECEIVERS, AlertReceiver, AlertSettings
from stackctl.settings.vault import Vault

PREFIX = "alert_"
_LARGEST = 2**20


def ensure_alert_secrets(vault: Vault, chosen: AlertSettings, project: Path) -> tuple[str, ...]:
    """Bring the copies up to date; gives back the names of the new ones.

    Raises ProfileError that names the key of the project file whose file cannot be used, and never what it holds. One
    that is not there any more leaves the copy as it is: a database is not kept from starting for that.
    """
    return tuple(name for name, text in list(_contents(vault, chosen, project)) if vault.put(name, text))


def check_alert_secrets(vault: Vault, chosen: AlertSettings, project: Path) -> None:
    """Raise ProfileError as `ensure_alert_secrets` would; changes nothing."""
    for _ in _contents(vault, chosen, project):
        pass


def lost_secrets(vault: Vault, chosen: AlertSettings, project: Path) -> list[Problem]:
    """A warning for each file that cannot be read, while the copy of an earlier `up` is still sent with."""
    found = []
    for receiver, name, key in _keys(chosen):
        try:
            _content(receiver, key, project)
        except _UnreadableError as error:
            if vault.path(name).is_file():
                text = f"{error.problems[0].message}; Alertmanager goes on with the copy of an earlier up"
                found.append(Problem("alert_secret", text, "put the file back, or take the receiver out"))
        except ProfileError:
            # It is refused as soon as it is to be used.
            continue
    return found


def drop_alert_secrets(vault: Vault, chosen: AlertSettings) -> None:
    """Remove the copies that nobody names any more; what runs, and what may be gone back to, must not need them."""
    vault.drop(PREFIX, chosen.secrets())


def alert_digest(vault: Vault, chosen: AlertSettings, project: Path) -> str:
    """A text that changes with the files' content; empty without receivers, and before there are secrets."""
    if not chosen.secrets() or not vault.directory.is_dir():
        return ""
    return vault.seal("\0".join(f"{name}={text}" for name, text in _contents(vault, chosen, project)))


class _UnreadableError(ProfileError):
    """The file is not there, or not for this user to read."""


def _keys(chosen: AlertSettings) -> Iterator[tuple[AlertReceiver, str, str]]:
    for receiver in chosen.receivers:
        for name, key in receiver.secrets().items():
            yield receiver, name, key


def _contents(vault: Vault, chosen: AlertSettings, project: Path) -> Iterator[tuple[str, str]]:
    for receiver, name, key in _keys(chosen):
        try:
            yield name, _content(receiver, key, project)
        except _UnreadableError:
            if not vault.path(name).is_file():
                raise
            yield name, vault.path(name).read_text(encoding="utf-8")


def _content(receiver: AlertReceiver, key: str, project: Path) -> str:
    path = receiver.file(key, project)
    where = f"{RECEIVERS}{receiver.name}.{key}"
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST).decode().strip()
    except OSError as error:
        what = f"{where}: {path}: {error.strerror or error}"
        raise _UnreadableError(what, hint="name a file that this user may read", code="bad_value") from error
    except UnicodeDecodeError:
        # Its message would hold a part of the secret.
        raise _unusable(where, f"{path}: is not UTF-8 text") from None
    if key == "ca_file":
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise _unusable(where, f"{path}: holds no certificate in PEM")
    elif not text or not text.isprintable():
        raise _unusable(where, f"{path}: holds not just one line with the secret")
    elif key == "url_file" and not _is_url(text):
        raise _unusable(where, f"{path}: does not hold one URL that begins with https:// or http://")
    return text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text and parts.port != 0
    except ValueError:
        return False


def _unusable(where: str, what: str) -> ProfileError:
    return ProfileError(f"{where}: {what}", hint="write what the key asks for into the file", code="bad_value")
