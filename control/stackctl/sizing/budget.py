"""The budget: how the host's memory and CPUs are divided among the services."""

from __future__ import annotations

from dataclasses import replace

from stackctl.hardware.model import HardwareProfile, Pooler
from stackctl.sizing.model import BudgetItem
from stackctl.units import GIB, MIB, Bytes, floor_to

# Weights of the CPU limits. PostgreSQL and the app get what the small services leave; a migration runs
# before the app starts, and would keep it waiting on a small share.
_CPU_WEIGHTS = {
    "system": 3,
    "postgres": 45,
    "app": 27,
    "pgbouncer": 8,
    "migrate": 10,
    "exporter": 3,
    "prometheus": 5,
    "alertmanager": 2,
    "grafana": 5,
}


def monitored(ram: Bytes) -> bool:
    """Whether Prometheus and the exporter fit: from 1 GiB (requirement S12)."""
    return ram >= GIB


def dashboards(ram: Bytes) -> bool:
    """Whether Grafana and Alertmanager fit: from 2 GiB (requirement S12)."""
    return ram >= 2 * GIB


def app_memory(ram: Bytes, workers: int) -> Bytes:
    """The app's limit: a measured worker needs under 120 MiB; the rest is for bursts and the master."""
    if ram < GIB:
        return Bytes((24 + workers * 136) * MIB)
    if ram < 8 * GIB:
        return Bytes((64 + workers * 136) * MIB)
    return Bytes((256 + workers * 192) * MIB)


def _monitoring(ram: Bytes) -> dict[str, int]:
    items: dict[str, int] = {}
    small = ram < 8 * GIB
    if monitored(ram):
        items["exporter"] = (64 if small else 128) * MIB
        items["prometheus"] = min(max(floor_to(ram // 20, MIB), 96 * MIB), 768 * MIB)
    if dashboards(ram):
        items["alertmanager"] = (64 if small else 128) * MIB
        items["grafana"] = (256 if small else 384) * MIB
    return items


def divide(profile: HardwareProfile) -> tuple[BudgetItem, ...]:
    """Shares that sum to at most `profile`; what the others leave is PostgreSQL's.

    `system` is the kernel, the container engine and an operator's shell. `migrate` is the room of one-off jobs.
    """
    ram = profile.ram
    shares = {"system": min(max(64 * MIB, floor_to(ram // 16, MIB)), 2 * GIB)}
    shares["app"] = app_memory(ram, profile.app_workers)
    shares["migrate"] = (128 if ram >= 2 * GIB else 96 if ram >= GIB else 64) * MIB
    if profile.pooler is Pooler.PGBOUNCER:
        shares["pgbouncer"] = (64 if ram < 8 * GIB else 128) * MIB
    shares |= _monitoring(ram)
    shares["postgres"] = floor_to(max(ram - sum(shares.values()), 0), MIB)
    total = sum(_CPU_WEIGHTS[service] for service in shares)
    return tuple(
        BudgetItem(service, Bytes(shares[service]), _floor2(profile.cpus * weight / total))
        for service, weight in _CPU_WEIGHTS.items()
        if service in shares
    )


def feedable_workers(profile: HardwareProfile) -> int:
    """The most app workers, up to the profile's, that leave PostgreSQL a quarter of RAM and 450 MiB; at least 1."""
    enough = max(profile.ram // 4, 450 * MIB)
    for workers in range(profile.app_workers, 1, -1):
        shares = divide(replace(profile, app_workers=workers))
        if next(share.memory for share in shares if share.service == "postgres") >= enough:
            return workers
    return 1


def _floor2(cpus: float) -> float:
    return int(cpus * 100 + 1e-9) / 100
