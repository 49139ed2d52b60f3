"""The Docker engine's side of rendering: paths inside containers, addresses on their networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stackctl.images.public import data_mount
from stackctl.render.model import Address, Place
from stackctl.settings.model import Ports
from stackctl.settings.vault import USERLIST
from stackctl.sizing.model import Sizing

_ANY = "0.0.0.0"  # noqa: S104 - inside a container; the host publishes on loopback only
CONFIG = "/etc/stackctl"
ARCHIVE = "/var/lib/stackctl/wal"


def place_of(postgres: int) -> Place:
    """Fixed paths and ports: what varies is only what the host publishes."""
    standard = asdict(Ports())
    hosts = {name: name for name in standard} | {"metrics": "app"}
    return Place(
        config=CONFIG,
        data=data_folder(postgres),
        secrets="/run/secrets",
        archive=ARCHIVE,
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
    retention = min(max(sizing.profile.disk // 50, 2**28), 2**33)
    return {
        "images": images,
        "published": asdict(ports),
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


def secret_names(sizing: Sizing, services: Sequence[str]) -> list[str]:
    """Secrets that the containers mount one by one."""
    names = [
        "superuser_password",
        *(f"{role.name}_verifier" for role in sizing.roles),
        "owner_password",
        "app_password",
    ]
    owners = (("pgbouncer", USERLIST), ("exporter", "monitor_password"), ("grafana", "grafana_password"))
    return names + [name for service, name in owners if service in services]
