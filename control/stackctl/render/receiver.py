"""The receiver's side of rendering: what it runs, and how it finds the server."""

from __future__ import annotations

from stackctl.hardware.model import HardwareProfile
from stackctl.render.model import Place
from stackctl.sizing.wal import backlog_bounds

SERVICE = "receiver"


def command(profile: HardwareProfile, place: Place) -> list[str]:
    """Its command line. The password stays in its file."""
    script, password = f"{place.config}/postgres/receive-wal", f"{place.secrets}/backup_password"
    return ["/bin/sh", script, place.tail, place.archive, password, place.run, str(backlog_bounds(profile)[0])]


def environment(place: Place) -> dict[str, str]:
    """Where the server is, and as which role, for PostgreSQL's programs."""
    address = place.addresses["postgres"]
    return {"PGHOST": address.host, "PGPORT": str(address.port), "PGUSER": "backup"}
