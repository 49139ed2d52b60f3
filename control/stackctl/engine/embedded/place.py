"""The embedded engine's side of rendering: paths and addresses on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackctl.engine.archive_folder import TAIL, WAL
from stackctl.engine.embedded.account import user_name
from stackctl.engine.embedded.home import Home
from stackctl.render.model import Address, Place
from stackctl.settings.model import Ports
from stackctl.sizing.model import Sizing

LOOPBACK = "127.0.0.1"


def place_of(home: Home, ports: Ports, postgres: int) -> Place:
    """Paths below the home, everything on loopback."""
    names = ("app", "metrics", "postgres", "pgbouncer", "exporter", "observer", "prometheus", "alertmanager")
    return Place(
        config=str(home.config),
        data=str(home.data(postgres)),
        secrets=str(home.secrets),
        archive=str(home.backups / WAL),
        tail=str(home.backups / TAIL),
        run=str(home.run),
        socket=str(home.run),
        os_user=user_name(home.user),
        listen=LOOPBACK,
        origins=(f"{LOOPBACK}/32",),
        shared_memory="posix" if os.access("/dev/shm", os.W_OK) else "sysv",  # noqa: S108
        addresses={name: Address(LOOPBACK, getattr(ports, name)) for name in names},
    )


def extra(home: Home, programs: Mapping[str, str], place: Place, sizing: Sizing) -> dict[str, Any]:
    """What supervisord.conf needs besides."""
    retention = min(max(sizing.profile.disk // 50, 2**28), 2**33)
    return {
        "home": {
            "work": str(home.work),
            "logs": str(home.logs),
            "run": str(home.run),
            "root": str(home.root),
        },
        "programs": programs,
        "server_programs": str(Path(programs["postgres"]).parent),
        "prometheus_command": [
            f"--config.file={place.config}/prometheus/prometheus.yml",
            f"--storage.tsdb.path={home.root}/prometheus",
            "--storage.tsdb.retention.time=15d",
            f"--storage.tsdb.retention.size={retention // 2**20}MB",
            f"--web.listen-address={place.address('prometheus')}",
        ],
    }
