"""The project's secrets: generated once, kept as files, never replaced silently."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shlex
import stat
from collections.abc import Collection
from pathlib import Path

from stackctl.durable import sync
from stackctl.errors import ProfileError
from stackctl.settings import exporter_login, scram
from stackctl.settings.secret import Secret

ROLES = ("superuser", "owner", "app", "monitor", "backup", "report")
# What PgBouncer knows of the roles that may come through it: their verifiers, no password.
USERLIST = "pgbouncer_userlist"
POOLED = ("app", "monitor")
# What Prometheus shows the exporter, and the exporter's own file, which has a hash of it.
EXPORTER_PASSWORD, EXPORTER_WEB = "exporter_password", "exporter_web"
PASSWORDS = (*(f"{role}_password" for role in ROLES), "grafana_password", EXPORTER_PASSWORD)

# Made only where backups are encrypted; whoever lost it has lost them.
PASSPHRASE = "repository_passphrase"  # noqa: S105 - the name of its file
IDENTITY = "identity"
# Vaults without an identity of their own had these roles, and labelled volumes with a hash of their verifiers.
_FIRST_ROLES = ("app", "backup", "monitor", "owner", "superuser")
_FIRST_PASSWORDS = ("app", "backup", "grafana", "monitor", "owner", "superuser")

_SALT_BYTES = 16
# Exactly what token_urlsafe(32) gives: anything shorter was cut off.
_WHOLE = re.compile(r"[A-Za-z0-9_-]{43}")
_HEX = re.compile(r"[0-9a-f]{12}")
# Containers read secrets as users that the host does not know: the files are open, the directory is shut.
_FILE_MODE = 0o444
_DIRECTORY_MODE = 0o700


class Vault:
    """Secrets in one directory, each a file of its own that can be mounted by itself."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def ensure(self) -> tuple[str, ...]:
        """Make what is missing and check what is there; gives back the names of the files it made.

        Raises ProfileError where the directory is open to others, or a file is not what was written.
        """
        try:
            for directory in (self.directory.parent, self.directory):
                directory.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
            self._check_directory()
            # First, so that passwords without it are those of a vault that is older than identities.
            made = [IDENTITY] if self._create_identity() else []
            made += [name for name in PASSWORDS if self._create_password(name)]
            made += [f"{role}_verifier" for role in ROLES if self._create_verifier(role)]
            made += [EXPORTER_WEB] if self._create_exporter_web() else []
        except OSError as error:
            raise self._unusable(error) from error
        self.fingerprint()
        for name in PASSWORDS:
            self.password(name)
        for role in ROLES:
            self.verifier(role)
        return tuple(made)

    def ensure_userlist(self) -> tuple[str, ...]:
        """Make PgBouncer's list of users, or make it anew where a verifier changed; gives back its name then."""
        return (USERLIST,) if self.put(USERLIST, self._userlist()) else ()

    def put(self, name: str, text: str) -> bool:
        """Keep `text`, which somebody else made, as the secret `name`; gives back whether it is new."""
        target, draft = self.path(name), self._draft(name)
        try:
            self._check_directory()
            if target.is_file() and target.read_bytes() == text.encode():
                return False
            _write(draft, text)
            draft.replace(target)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            draft.unlink(missing_ok=True)
        sync(self.directory, os.O_DIRECTORY)
        return True

    def drop(self, prefix: str, wanted: Collection[str]) -> None:
        """Remove the secrets whose names begin with `prefix`, but for those that are wanted."""
        try:
            for path in self.directory.glob(f"{prefix}*"):
                if path.name not in wanted:
                    path.unlink()
        except OSError as error:
            raise self._unusable(error) from error

    def seal(self, text: str) -> str:
        """12 hex digits that change with `text`, of which nobody who lacks our secrets can guess the text."""
        key = self.password("superuser_password").reveal().encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:12]

    def ensure_passphrase(self, *, new: bool) -> tuple[str, ...]:
        """Make the passphrase of the backups where there is none; gives back its name then.

        Raises ProfileError where there is none and a `new` one would open nothing.
        """
        if not new and not self._has(PASSPHRASE):
            hint = f"put {self.path(PASSPHRASE)} back from a copy; to begin anew, name another backup.repository"
            raise ProfileError(f"secret {PASSPHRASE}: its file is gone", hint=hint, code="bad_secret")
        made = (PASSPHRASE,) if self._create(PASSPHRASE, secrets.token_urlsafe(32)) else ()
        self.password(PASSPHRASE)
        return made

    def keep_passphrase(self, text: str) -> tuple[str, ...]:
        """Never lose one that backups may be encrypted by: as the passphrase where that is gone, else beside it.

        Gives back the name of the file that was made.
        """
        if not _WHOLE.fullmatch(text):
            return ()
        name = PASSPHRASE
        if self._has(name):
            if self._read(name) == text:
                return ()
            name = f"{PASSPHRASE}.{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return (name,) if self._create(name, text) else ()

    def userlist_digest(self) -> str:
        """12 hex digits that change with PgBouncer's list of users; empty before there are secrets."""
        if not self.directory.is_dir():
            return ""
        return hashlib.sha256(self._userlist().encode()).hexdigest()[:12]

    def path(self, name: str) -> Path:
        """The file of `name`, for mounting."""
        return self.directory / name

    def password(self, name: str) -> Secret:
        """The secret called `name`. Raises ProfileError where its file is missing, empty or cut off."""
        text = self._read(name)
        if not _WHOLE.fullmatch(text):
            raise self._damaged(name, "not what was written to it" if text.strip() else "its file is empty")
        return Secret(text)

    def verifier(self, role: str) -> Secret:
        """The SCRAM verifier of `role`. Raises ProfileError where it does not fit the role's password."""
        text = self._read(f"{role}_verifier")
        if not scram.matches(text, self.password(f"{role}_password")):
            raise self._damaged(f"{role}_verifier", f"it does not belong to {role}_password")
        return Secret(text)

    def fingerprint(self) -> str:
        """12 hex digits that tell vaults apart, no secret; they stay when a role is added or a password is changed.

        Raises ProfileError where they are not what was written.
        """
        if not self._has(IDENTITY):
            return self._first_fingerprint()
        text = self._read(IDENTITY)
        if not _HEX.fullmatch(text):
            raise self._damaged(IDENTITY, "not what was written to it")
        return text

    def _first_fingerprint(self) -> str:
        """What labels the volumes of a vault without an identity. Verifiers are salted, so it helps no guesser."""
        digest = hashlib.sha256()
        for name in _FIRST_PASSWORDS:
            digest.update(f"{name}_password\n".encode())
        for role in _FIRST_ROLES:
            digest.update(hashlib.sha256(self.verifier(role).reveal().encode()).digest())
        return digest.hexdigest()[:12]

    def _create_identity(self) -> bool:
        if self._has(IDENTITY):
            return False
        # Volumes are made after all of them are there, so a part of them labels none.
        old = all(self._has(f"{role}_verifier") for role in _FIRST_ROLES)
        return self._create(IDENTITY, self._first_fingerprint() if old else secrets.token_hex(6))

    def _check_directory(self) -> None:
        mode = stat.S_IMODE(self.directory.stat().st_mode)
        if mode & 0o077:
            message = f"{self.directory}: holds secrets and is open to other users (mode {mode:04o})"
            hint = f"chmod 700 {shlex.quote(str(self.directory))}, and rotate the secrets if others log in here"
            raise ProfileError(message, hint=hint, code="open_secrets")

    def _has(self, name: str) -> bool:
        try:
            return self.path(name).exists()
        except OSError as error:
            raise self._unusable(error) from error

    def _read(self, name: str) -> str:
        try:
            self._check_directory()
            return self.path(name).read_bytes().decode("ascii", "replace")
        except OSError as error:
            raise self._unusable(error) from error

    def _create_password(self, name: str) -> bool:
        verifier = self.path(name.replace("_password", "_verifier"))
        if verifier.exists() and not self.path(name).exists():
            raise self._damaged(name, "its file is gone")
        return self._create(name, secrets.token_urlsafe(32))

    def _create_verifier(self, role: str) -> bool:
        salt = secrets.token_bytes(_SALT_BYTES)
        return self._create(f"{role}_verifier", scram.verifier(self.password(f"{role}_password"), salt))

    def _create_exporter_web(self) -> bool:
        """What the exporter reads, made anew where it does not fit the password of who may ask it."""
        password = self.password(EXPORTER_PASSWORD)
        if not self._has(EXPORTER_WEB):
            return self._create(EXPORTER_WEB, exporter_login.written(password))
        fits = exporter_login.fits(self._read(EXPORTER_WEB), password)
        return not fits and self.put(EXPORTER_WEB, exporter_login.written(password))

    def _create(self, name: str, text: str) -> bool:
        """Write a file whole or not at all; False where there already is one, which is left alone."""
        target = self.path(name)
        if target.is_symlink() or target.exists():
            return False
        draft = self._draft(name)
        try:
            _write(draft, text)
            # Unlike a rename, a link never takes the place of what another run wrote meanwhile.
            os.link(draft, target)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        sync(self.directory, os.O_DIRECTORY)
        return True

    def _userlist(self) -> str:
        return "".join(f'"{role}" "{self.verifier(role).reveal()}"\n' for role in POOLED)

    def _draft(self, name: str) -> Path:
        return self.directory / f".{name}.{secrets.token_hex(8)}"

    def _damaged(self, name: str, what: str) -> ProfileError:
        hint = f"put {self.path(name)} back from a copy: a new one does not open an existing database"
        return ProfileError(f"secret {name}: {what}", hint=hint, code="bad_secret")

    def _unusable(self, error: OSError) -> ProfileError:
        where = error.filename or self.directory
        return ProfileError(
            f"secrets in {self.directory}: {where}: {error.strerror or error}",
            hint="use a project directory that this user may write, on a disk that keeps permissions",
            code="secrets_unusable",
        )


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, _FILE_MODE)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
