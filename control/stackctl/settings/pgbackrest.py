"""The keys of the section `backup` that pgBackRest needs: where its repository is, and what opens it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stackctl.errors import Problem, ProfileError
from stackctl.settings.layers import Given
from stackctl.settings.values import Fault

NATIVE, PGBACKREST = "native", "pgbackrest"
ENGINES = (NATIVE, PGBACKREST)
COMPRESSIONS = ("zst", "lz4", "gz", "none")
SCHEMES = {"s3": "s3", "azure": "azure", "gs": "gcs"}
URL_PATTERN = r"^(s3|azure|gs)://"
# What only a repository in an object store has; `region` and the like have defaults.
_REMOTE_KEYS = ("endpoint", "region", "account", "ca_file", "key_file", "secret_file")
# How WAL leaves a server without a receiver.
_ARCHIVED = "archive"
_NEEDED = {"s3": ("key_file", "secret_file"), "azure": ("account", "key_file"), "gcs": ("key_file",)}


@dataclass(frozen=True)
class Remote:
    """A repository in an object store: `kind` is s3, azure or gcs; `prefix` begins with a slash."""

    kind: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        (scheme,) = (scheme for scheme, kind in SCHEMES.items() if kind == self.kind)
        return f"{scheme}://{self.bucket}{self.prefix.rstrip('/')}"


@dataclass(frozen=True)
class PgBackRest:
    """How pgBackRest keeps the backups: in `remote`, or in a folder where that is None.

    `options` are what the project file says besides, by key; the files among them hold the keys of the store.
    """

    remote: Remote | None = None
    encryption: bool = False
    compression: str = "zst"
    options: Mapping[str, str] = field(default_factory=dict)

    def file(self, key: str, project: Path) -> Path | None:
        """The file that `key` names, below the folder of the project; None where it is not given."""
        return project / self.options[key] if key in self.options else None


def engine(text: str) -> str:
    """The program that takes the backups."""
    return _one_of(text, ENGINES)


def compression(text: str) -> str:
    """The method that files of the repository are compressed by."""
    return _one_of(text, COMPRESSIONS)


def switch(text: str) -> bool:
    """Whether it is on."""
    return _one_of(text, ("on", "off")) == "on"


def remote(text: str) -> Remote:
    """The object store of a URL such as s3://bucket/prefix."""
    parts = urlsplit(text.strip())
    # What stands before @ or behind ? is often a key.
    shown = "the URL" if "@" in text or "?" in text else repr(text)
    if parts.scheme not in SCHEMES:
        raise Fault(
            f"{shown} is no store for backups", "write s3://BUCKET/PREFIX, azure://... or gs://..., or a folder"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", parts.netloc) or parts.query or parts.fragment:
        raise Fault(
            f"{shown} does not name a bucket", f"write {parts.scheme}://BUCKET/PREFIX; keys have files of their own"
        )
    if not re.fullmatch(r"[A-Za-z0-9._/-]*", parts.path) or ".." in parts.path:
        raise Fault(f"{shown} has a prefix with other signs than letters, digits, . _ - and /", "use a plain prefix")
    return Remote(SCHEMES[parts.scheme], parts.netloc, "/" + parts.path.strip("/"))


def word(text: str) -> str:
    """One word: a region, an account, a host."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:_/-]{0,250}", text.strip()):
        raise Fault(f"{text!r} is not one plain word", "letters, digits, and . : _ / -")
    return text.strip()


def endpoint(text: str) -> str:
    """The host of the store, with its port where it is not 443. It is always spoken to over TLS."""
    found = text.strip().removeprefix("https://").rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,250}(:[0-9]{1,5})?", found):
        raise Fault(f"{text!r} is no host", "write HOST or HOST:PORT; it is always spoken to over TLS")
    return found


def file_path(text: str) -> str:
    """A file: absolute, or below the project's folder."""
    if not text.strip() or not text.isprintable() or "$" in text or text.startswith("~"):
        raise Fault(f"{text!r} is no file", "write the whole path, such as /etc/shop/s3.key")
    return text.strip()


def pgbackrest(keys: Mapping[str, Given]) -> PgBackRest | None:
    """What pgBackRest is to do; None where the native engine keeps the backups.

    It is asked for by name, by a URL, and by encryption. Raises ProfileError where keys contradict one another.
    """
    given = {
        name.removeprefix("backup."): each.text.strip() for name, each in keys.items() if name.startswith("backup.")
    }
    store = remote(given["repository"]) if is_url(given.get("repository", "")) else None
    encryption = given.get("encryption", "off") == "on"
    chosen = given.get("engine") or (PGBACKREST if store or encryption else NATIVE)
    if problems := list(_contradictions(chosen, store, given)):
        raise ProfileError.of(problems)
    if chosen == NATIVE:
        return None
    options = {key: given[key] for key in _REMOTE_KEYS if key in given}
    if "endpoint" in options:
        options["endpoint"] = endpoint(options["endpoint"])
    return PgBackRest(store, encryption, given.get("compression", "zst"), options)


def is_url(text: str) -> bool:
    """Whether the repository is named by a URL."""
    return re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def _contradictions(chosen: str, store: Remote | None, given: Mapping[str, str]) -> Iterator[Problem]:
    if chosen == NATIVE:
        hint = "take out backup.engine: native, or the other key"
        if store:
            yield _problem(f"backup.repository: the native engine keeps backups in a folder, not in {store}", hint)
        yield from (
            _problem(f"backup.{key}: only pgbackrest has it", hint)
            for key in ("encryption", "compression", *_REMOTE_KEYS)
            if key in given and given[key] != "off"
        )
        return
    if "schedule.logical" in given and given.get("encryption") == "on":
        clear = "a dump is not encrypted, and would lie in the clear beside backups that are"
        yield _problem(f"backup.schedule.logical: {clear}, as backup.encryption has it", "take out one of the two")
    wal = given.get("wal", _ARCHIVED).lower()
    if wal != _ARCHIVED:
        yield _problem(
            f"backup.wal: {wal} needs backup.engine: native; nobody tells the receiver what pgbackrest archived",
            "take out backup.wal; or backup.engine: native, with a folder and without encryption",
        )
    if "pace" in given:
        yield _problem("backup.pace: pgbackrest has none, but its low priority for CPUs", "take it out")
    for key in _NEEDED[store.kind] if store else ():
        if key not in given:
            yield _problem(f"backup.{key}: {store} needs it", f"name it in the project file: {key}: ...")
    if store is None:
        for key in _REMOTE_KEYS:
            if key in given:
                yield _problem(f"backup.{key}: the repository is a folder", "backup.repository: s3://BUCKET/PREFIX")


def _problem(message: str, hint: str) -> Problem:
    return Problem("bad_value", message, hint)


def _one_of(text: str, known: tuple[str, ...]) -> str:
    if text.strip() not in known:
        raise Fault(f"{text!r} is none of {', '.join(known)}", f"write one of {', '.join(known)}")
    return text.strip()
