"""The ports that a project has on this host."""

from __future__ import annotations

from dataclasses import asdict

from stackctl.hardware.model import Pooler
from stackctl.settings.model import Settings


def used_ports(settings: Settings) -> dict[str, int]:
    """Ports by service, without that of a pooler that nobody asked for."""
    absent = () if settings.profile.pooler is Pooler.PGBOUNCER else ("pgbouncer",)
    return {service: port for service, port in asdict(settings.ports).items() if service not in absent}


def host_ports(settings: Settings) -> dict[str, int]:
    """As `used_ports`, without a port for metrics where the app has none beside its own."""
    absent = () if settings.app.separate_metrics else ("metrics",)
    return {service: port for service, port in used_ports(settings).items() if service not in absent}
