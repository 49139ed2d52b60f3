"""The budget: how the host's memory and CPUs are divided among the services."""

from __future__ import annotations

from dataclasses import replace

from stackctl.hardware.model import HardwareProfile, Pooler, Wal
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
    "scheduler": 10,
    "receiver": 3,
    "exporter": 3,
    "observer": 3,
    "prometheus": 5,
    "alertmanager": 2,
    "grafana": 5,
}
# From where on Prometheus and the exporter fit, and Grafana and Alertmanager (requirement S12).
MONITORED_FROM = Bytes(GIB)
DASHBOARDS_FROM = Bytes(2 * GIB)
_APP_WORKER = 144 * MIB
# Measured: 80 MiB for the loop with a job, at 1 GB of data; a trial restore may use 128 MiB in its server besides.
_SCHEDULER = 224 * MIB
# Measured: 50 MiB, 10 for psql, and 14 for each 20,000 archived segments. Larger machines have more of them.
_OBSERVER = 80 * MIB
# pg_receivewal, a shell and its programs; what they read of the disk counts too, as far as it is not given back.
_RECEIVER = 64 * MIB
# Share of further RAM that PostgreSQL gets on the way to such a step: what its other settings grow by, and a little.
_APPROACH = 0.5


def app_memory(ram: Bytes, workers: int) -> float:
    """The app's limit in bytes: a measured worker needs under 120 MiB; a part of RAM is for bursts and the master."""
    return _between(16 * MIB, ram / 32, 448 * MIB) + workers * _APP_WORKER


def divide(profile: HardwareProfile) -> tuple[BudgetItem, ...]:
    """Shares that sum to at most `profile`; what the others leave is PostgreSQL's.

    `system` is the kernel, the container engine and an operator's shell. `migrate` is the room of one-off jobs.
    Where more RAM would start another service, PostgreSQL gets less than is left, so that its share does not shrink
    when that RAM is there; the difference is given to nobody.
    """
    shares = {service: floor_to(int(size), MIB) for service, size in _others(profile).items()}
    shares["postgres"] = floor_to(int(database_share(profile)), MIB)
    total = sum(_CPU_WEIGHTS[service] for service in shares)
    return tuple(
        BudgetItem(service, shares[service], _floor2(profile.cpus * weight / total))
        for service, weight in _CPU_WEIGHTS.items()
        if service in shares
    )


def _others(profile: HardwareProfile) -> dict[str, float]:
    """Bytes of each service beside PostgreSQL, not rounded: rounded, their sum would jump."""
    ram = profile.ram
    shares = {
        "system": _between(64 * MIB, ram / 16, 2 * GIB),
        "app": app_memory(ram, profile.app_workers),
        "migrate": _between(64 * MIB, ram / 16, 128 * MIB),
    }
    if profile.pooler is Pooler.PGBOUNCER:
        shares["pgbouncer"] = _between(32 * MIB, ram / 64, 128 * MIB)
    if profile.scheduled:
        shares["scheduler"] = _between(_SCHEDULER, ram / 32, 512 * MIB)
    if profile.wal is not Wal.ARCHIVE:
        shares["receiver"] = _RECEIVER
    if ram >= MONITORED_FROM:
        shares["exporter"] = _between(64 * MIB, ram / 64, 128 * MIB)
        shares["observer"] = _between(_OBSERVER, ram / 160, 192 * MIB)
        shares["prometheus"] = _between(96 * MIB, ram / 20, 768 * MIB)
    if ram >= DASHBOARDS_FROM:
        shares["alertmanager"] = _between(64 * MIB, ram / 64, 128 * MIB)
        shares["grafana"] = _between(256 * MIB, ram / 20, 384 * MIB)
    return shares


def database_share(profile: HardwareProfile) -> float:
    """PostgreSQL's share in bytes before it is rounded down, so that what is sized from it does not jump."""
    return max(_least_left(profile), 0.0)


def _least_left(profile: HardwareProfile) -> float:
    """What is left for PostgreSQL, slowly approaching what it will have where further services start."""
    ram = profile.ram
    larger = (step for step in (MONITORED_FROM, DASHBOARDS_FROM) if step > ram)
    return min(_left(profile), *(_left(replace(profile, ram=step)) - (step - ram) * _APPROACH for step in larger), ram)


def _left(profile: HardwareProfile) -> float:
    return profile.ram - sum(_others(profile).values())


def feedable_workers(profile: HardwareProfile) -> int:
    """The most app workers, up to the profile's, that leave PostgreSQL a quarter of RAM and 450 MiB; at least 1."""
    enough = max(profile.ram // 4, 450 * MIB)
    for workers in range(profile.app_workers, 1, -1):
        if _least_left(replace(profile, app_workers=workers)) >= enough:
            return workers
    return 1


def _between(low: float, size: float, high: float) -> float:
    return max(low, min(size, high))


def _floor2(cpus: float) -> float:
    return int(cpus * 100 + 1e-9) / 100
