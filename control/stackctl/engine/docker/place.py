"""The Docker engine's side of rendering: paths inside containers, addresses on their networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackctl.engine import noted
from stackctl.engine.runner import SystemUser
from stackctl.images.public import data_mount
from stackctl.render.model import Address, Place
from stackctl.settings.model import Ports
from stackctl.settings.vault import EXPORTER_PASSWORD, EXPORTER_WEB, USERLIST
from stackctl.sizing.model import Sizing

_ANY = "0.0.0.0"  # noqa: S104 - inside a container; the host publishes on loopback only
CONFIG = "/etc/stackctl"
_LOCALTIME = Path("/etc/localtime")
# The database's account in its image, and its group.
_ACCOUNT = 999
ARCHIVE = "/var/lib/stackctl/wal"
TAIL = "/var/lib/stackctl/tail"
# Microseconds, the longest that the kernel has. These work in short pieces with long rests: with the usual period of
# 100 ms a scrape that needs 50 ms of CPU waited for ten of them, with this one for none; the share is the same.
_PERIOD = 1_000_000
_IN_PIECES = ("exporter", "observer", "prometheus", "alertmanager", "grafana")


def place_of(postgres: int) -> Place:
    """Fixed paths and ports: what varies is only what the host publishes."""
    standard = asdict(Ports())
    hosts = {name: name for name in standard} | {"metrics": "app"}
    return Place(
        config=CONFIG,
        data=data_folder(postgres),
        secrets="/run/secrets",
        archive=ARCHIVE,
        tail=TAIL,
        socket="/var/run/postgresql",
        os_user="postgres",
        listen="*",
        origins=("samenet",),
        addresses={name: Address(hosts[name], port, _ANY) for name, port in standard.items()},
    )


def data_folder(postgres: int) -> str:
    """PGDATA, where the official image of this version has it."""
    return f"/var/lib/postgresql/{postgres}/docker" if postgres >= 18 else "/var/lib/postgresql/data"


def extra(sizing: Sizing, ports: Ports, images: Mapping[str, str], engine: tuple[int, ...] | None) -> dict[str, Any]:
    """What compose.yaml needs besides. `engine` is the version that answers; newer features need it."""
    quotas = {share.service: round(share.cpus * _PERIOD) for share in sizing.budget if share.service in _IN_PIECES}
    retention = min(max(sizing.profile.disk // 50, 2**28), 2**33)
    return {
        "images": images,
        "published": asdict(ports),
        "cpu_period": _PERIOD,
        "cpu_quotas": quotas,
        "data_mount": data_mount(sizing.profile.postgres),
        "features": {"start_interval": engine is not None and engine >= (25,)},
        "prometheus_command": [
            f"--config.file={CONFIG}/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=15d",
            f"--storage.tsdb.retention.size={retention // 2**20}MB",
            "--web.listen-address=:9090",
        ],
    }


def archive(source: str) -> dict[str, Any]:
    """The mount of the archive: its folder on the host, and the group that lets the container write there.

    Root gives the folder to the image's account; everybody else lets that account into a group of their own.
    """
    return {"source": source, "target": ARCHIVE, "group": None if os.geteuid() == 0 else os.getegid()}


def tail(source: str, user: SystemUser) -> dict[str, Any]:
    """The mount of the tail, and who receives into it: who runs PostgreSQL's programs for a restore."""
    return {"source": source, "target": TAIL, "user": f"{user.uid}:{user.gid}"}


def secret_names(sizing: Sizing, services: Sequence[str]) -> list[str]:
    """Secrets that the containers mount one by one."""
    names = [
        "superuser_password",
        *(f"{role.name}_verifier" for role in sizing.roles),
        "owner_password",
        "app_password",
    ]
    owners = (
        ("receiver", "backup_password"),
        ("pgbouncer", USERLIST),
        ("exporter", "monitor_password"),
        ("exporter", EXPORTER_WEB),
        ("exporter", EXPORTER_PASSWORD),
        ("observer", "monitor_password"),
        ("grafana", "grafana_password"),
        ("scheduler", "backup_password"),
        ("scheduler", "monitor_password"),
    )
    return list(dict.fromkeys([*names, *(name for service, name in owners if service in services)]))


def scheduler(repository: Path, source: str | None, memory: str, work: str) -> dict[str, Any]:
    """What the scheduler's container needs: the repository, at the path that it has on the host, and who it runs as.

    `source`, `memory` and `work` are the repository, the folder of what it remembers, and that in which runs of
    pgBackRest work, as compose.yaml names them; `source` is None where the repository is in an object store, and no
    dumps are taken, nor were before.

    Root needs the rights to give files to the database's account, to read them, and to run programs as it. Everybody
    else has files of their own, and needs none.
    """
    root = os.geteuid() == 0
    return {
        "user": f"{os.geteuid()}:{os.getegid()}",
        "rights": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"] if root else [],
        "repository": str(repository),
        "source": source,
        "memory": memory,
        "work": work,
        "localtime": _LOCALTIME.exists(),
    }


def observer(repository: Path | None, source: str) -> dict[str, Any]:
    """What the observer's container needs: the repository to look at, and who it runs as.

    Where it cannot see the repository, which is None then, `source` is the folder in which is written what that holds.

    Records are root's or the operator's own. WAL belongs to the database's account, and its group may read it; so
    root needs no capability, only that group.
    """
    return {
        "user": f"{os.geteuid()}:{os.getegid()}",
        "group": _ACCOUNT if os.geteuid() == 0 else None,
        "repository": None if repository is None else str(repository),
        "source": source,
        "target": str(repository or noted.INSIDE),
        "localtime": _LOCALTIME.exists(),
    }
