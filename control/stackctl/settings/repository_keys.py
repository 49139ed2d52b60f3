"""What opens the repository of pgBackRest, in a folder that the database's container reads: keys, passphrase, trust."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from stackctl.errors import ProfileError
from stackctl.settings.pgbackrest import PgBackRest
from stackctl.settings.vault import PASSPHRASE, Vault

FILE = "keys.conf"
CA, SERVICE_KEY = "ca.crt", "service-key.json"
_LARGEST = 2**20
_NAMES = {"s3": {"key_file": "s3-key", "secret_file": "s3-key-secret"}, "azure": {"key_file": "azure-key"}, "gcs": {}}
_PASSPHRASE = "repo1-cipher-pass="  # noqa: S105 - the name of the option


def wanted_keys(vault: Vault, chosen: PgBackRest, project: Path) -> Mapping[str, bytes]:
    """What is to be in the folder, by the names of its files; the passphrase is there already.

    Raises ProfileError that names the key of the project file whose file cannot be read.
    """
    return dict(_files(vault, chosen, project))


def held_keys(folder: Path) -> Mapping[str, bytes] | None:
    """What is in the folder now; None where there is none."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else None


def put_keys(folder: Path, wanted: Mapping[str, bytes]) -> tuple[str, ...]:
    """Bring the folder up to date; gives back the names of the files that changed.

    Containers see a file that takes the place of another, so that a new key needs no restart. The old ones stay where
    there is no room for all of the new ones.
    """
    # The folder above is closed; the account in the container is no account of this machine.
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder.chmod(0o755)
    drafts = {name: _draft(folder / name, text) for name, text in wanted.items() if _differs(folder / name, text)}
    for name, draft in drafts.items():
        draft.replace(folder / name)
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    return tuple(drafts)


def remove_keys(folder: Path) -> None:
    """Leave nothing where nobody needs it; the passphrase is among the secrets."""
    if folder.is_dir():
        shutil.rmtree(folder)


def keep_passphrase(folder: Path, vault: Vault) -> tuple[str, ...]:
    """Have the passphrase that the folder holds among the secrets, before the folder changes.

    It may be the last copy: of a secret that was lost it takes the place, and stays beside one that differs. Gives back
    the name of the file that was made.
    """
    file = folder / FILE
    lines = file.read_text("ascii", "replace").splitlines() if file.is_file() else []
    held = [line.removeprefix(_PASSPHRASE) for line in lines if line.startswith(_PASSPHRASE)]
    return vault.keep_passphrase(held[0]) if held else ()


def _files(vault: Vault, chosen: PgBackRest, project: Path) -> Iterator[tuple[str, bytes]]:
    lines: dict[str, str] = {}
    if chosen.encryption:
        lines["cipher-pass"] = vault.password(PASSPHRASE).reveal()
    names: Mapping[str, str] = _NAMES[chosen.remote.kind] if chosen.remote else {}
    lines |= {name: _line(chosen, key, project) for key, name in names.items()}
    yield FILE, ("[global]\n" + "".join(f"repo1-{name}={text}\n" for name, text in lines.items())).encode()
    if "ca_file" in chosen.options:
        yield CA, _content(chosen, "ca_file", project)
    if chosen.remote and chosen.remote.kind == "gcs":
        yield SERVICE_KEY, _content(chosen, "key_file", project)


def _line(chosen: PgBackRest, key: str, project: Path) -> str:
    text = _content(chosen, key, project).decode("ascii", "replace").strip()
    if not text or not text.isprintable() or "\ufffd" in text:
        raise _unusable(key, f"{chosen.file(key, project)}: holds not just one line with a key")
    return text


def _content(chosen: PgBackRest, key: str, project: Path) -> bytes:
    path = chosen.file(key, project)
    assert path is not None, key  # noqa: S101 - checked when the project file was read
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise _unusable(key, f"{path}: {error.strerror or error}") from error


def _unusable(key: str, what: str) -> ProfileError:
    return ProfileError(f"backup.{key}: {what}", hint="name a file that this user may read", code="bad_value")


def _differs(path: Path, content: bytes) -> bool:
    return not path.is_file() or path.read_bytes() != content


def _draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o444)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return draft
