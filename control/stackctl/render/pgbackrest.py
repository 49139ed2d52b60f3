"""pgBackRest's side of rendering: its configuration without any secret, and the command that archives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackctl.hardware.model import Backlog, HardwareProfile
from stackctl.settings.pgbackrest import PgBackRest
from stackctl.sizing.model import Sizing
from stackctl.sizing.pgbackrest import workers
from stackctl.sizing.wal import SEGMENT, archive_bound, backlog_bounds

CONFIG = "/etc/stackctl/postgres/pgbackrest.conf"
# Keys of the store, passphrase and certificates, in files that are rendered nowhere.
KEYS = "/run/stackctl-repository"
_SCRIPT = "/etc/stackctl/postgres/push-wal"
# In the container's memory: what was sent is noted there, and what is sent twice is compared.
SPOOL = "/tmp/pgbackrest-spool"  # noqa: S108
FOLDER = "/var/lib/stackctl/repository"
# What is said of each repository.
_OF_ALL = ("repo1-bundle=", "repo1-block=", "repo1-retention-")
# In the container every folder has the same name.
_MOUNTED = "# On this machine it is "
CA, SERVICE_KEY = "ca.crt", "service-key.json"


def words(stanza: str) -> tuple[str, ...]:
    """How the program is called; it is the same in every container."""
    return ("pgbackrest", f"--config={CONFIG}", f"--config-include-path={KEYS}", f"--stanza={stanza}")


def archive_command(stanza: str, profile: HardwareProfile, *, local: bool) -> str:
    """The value of archive_command: the script that keeps the disk from filling, and what it runs.

    `local` says that the repository is a folder, which may be on that disk.
    """
    bounds = " ".join(map(str, backlog_bounds(profile)))
    places = f"{FOLDER if local else '-'} {SPOOL}/archive/{stanza}/out"
    return f"sh {_SCRIPT} %p %f {bounds} {places} {' '.join(words(stanza))}"


def settings(sizing: Sizing, chosen: PgBackRest, source: str | None = None) -> Mapping[str, Any]:
    """What pgbackrest.conf says of the repository, how many processes work, and when WAL is given up.

    `source` is the repository's folder on the host, where it is in one.
    """
    profile = sizing.profile
    return {
        "repository": repository(chosen),
        "note": f"{_MOUNTED}{source}" if source else "",
        "compression": chosen.compression,
        "processes": workers(profile),
        "spool": SPOOL,
        "queue": archive_bound(profile) * SEGMENT if profile.backlog is Backlog.DROP else None,
    }


def repository(chosen: PgBackRest) -> Mapping[str, str]:
    """What pgbackrest.conf says of the repository, by the ends of its keys."""
    return {**_place(chosen), **_cipher(chosen)}


def says(config: str, chosen: PgBackRest, source: str | None) -> bool:
    """Whether a rendered pgbackrest.conf is of this repository, in the folder `source` of the host where it has one."""
    if [line for line in config.splitlines() if line.startswith(_MOUNTED)] != [f"{_MOUNTED}{source}"] * bool(source):
        return False
    lines = {line for line in config.splitlines() if line.startswith("repo1-")}
    wanted = {f"repo1-{key}={value}" for key, value in repository(chosen).items()}
    return lines - wanted == {line for line in lines if line.startswith(_OF_ALL)} and wanted <= lines


def _place(chosen: PgBackRest) -> dict[str, str]:
    store, options = chosen.remote, chosen.options
    if store is None:
        return {"path": FOLDER}
    host, _, port = options.get("endpoint", "").partition(":")
    region = options.get("region", "us-east-1")
    found = {"type": store.kind, "path": store.prefix}
    if store.kind == "s3":
        found |= {"s3-bucket": store.bucket, "s3-region": region}
        # A host of one's own rarely has a name for each bucket.
        found |= {"s3-endpoint": host or f"s3.{region}.amazonaws.com", "s3-uri-style": "path" if host else "host"}
    elif store.kind == "azure":
        found |= {"azure-container": store.bucket, "azure-account": options["account"]}
        found |= {"azure-endpoint": host, "azure-uri-style": "path"} if host else {}
    else:
        found |= {"gcs-bucket": store.bucket, "gcs-key": f"{KEYS}/{SERVICE_KEY}"}
        found |= {"gcs-endpoint": host} if host else {}
    found |= {"storage-port": port} if port else {}
    return found | ({"storage-ca-file": f"{KEYS}/{CA}"} if "ca_file" in options else {})


def _cipher(chosen: PgBackRest) -> dict[str, str]:
    return {"cipher-type": "aes-256-cbc"} if chosen.encryption else {}
