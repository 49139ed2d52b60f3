"""Connections: how many the server takes, and how roles and pools share them."""

from __future__ import annotations

from stackctl.errors import Problem
from stackctl.hardware.model import HardwareProfile, Wal, Workload
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import Connections, Pins, Role
from stackctl.units import GIB, KIB, MIB, Bytes, counted, floor_to, pg_size

_CAP = {Workload.WEB: 200, Workload.OLTP: 300, Workload.MIXED: 200, Workload.OLAP: 100, Workload.DEV: 100}
_PER_GIB = 12.5
# Limits of the app's role where the server has the parameter, unless it is pinned.
_APP_LIMITS = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "5min",
    # Linux asks first after two hours. After a cut of the network the sessions that the app gave up would
    # count against its limit until then, and it could not open new ones.
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}
# postgres_exporter asks for sizes of tables, which wait for whoever has one locked, as VACUUM FULL does. Prometheus
# gives a scrape 10 s: a collector that fails after one second leaves time for the others, which tell of the lock.
_MONITOR_LIMITS = {"statement_timeout": "10s", "lock_timeout": "1s"}
# What asks as the role monitor all the time: two connections of the exporter, one of the observer.
_WATCHERS = 3
OTHER_ROLES = ("owner", "monitor", "backup")
# The part of PostgreSQL's share that the app's sessions may take before any operation, each counted at its largest.
APP_SHARE = 0.2
SESSION = 11 * MIB


def enter(ledger: Ledger, profile: HardwareProfile) -> tuple[int, int]:
    """Enter max_connections and the ones kept back; gives back both numbers."""
    ledger.topic("Connections")
    sized = max(20, min(int(profile.ram / GIB * _PER_GIB), _CAP[profile.workload]))
    wanted = ledger.count(
        "max_connections",
        sized,
        "12.5 per GiB of RAM up to the workload's cap: each busy backend costs 10 MB and more",
        "requirement S3",
    )
    kept = ledger.count(
        "superuser_reserved_connections",
        3,
        "a way in for the administrator when all others are taken",
        "stock",
    )
    if ledger.has("reserved_connections"):
        kept += ledger.count(
            "reserved_connections", spare_slots(wanted), "kept for monitoring and backup", "requirement C1"
        )
    ledger.count(
        "max_prepared_transactions",
        0,
        "two-phase commit, which nobody asked for; a forgotten one blocks vacuum",
        "requirement S3",
    )
    return wanted, kept


def spare_slots(max_connections: int) -> int:
    """Slots for roles that are granted pg_use_reserved_connections (from PostgreSQL 16)."""
    return 2 if max_connections >= 50 else 0


def role_limit(max_connections: int) -> int:
    """Connection limit of each role that is not the app's: 5, down to 2 on small servers."""
    return max(2, min(5, max_connections // 40))


def others(max_connections: int) -> int:
    """Connections of all roles that are not the app's, by their limits."""
    return len(OTHER_ROLES) * role_limit(max_connections)


def more_watchers(profile: HardwareProfile, max_connections: int) -> int:
    """Connections of the role monitor beyond the limit of each other role: it has to have room for all that ask.

    These are two of the exporter's, one of the observer's, and the scheduler's where there is one. The third is there
    also on machines too small for monitoring, so that more RAM never means fewer connections for the app.
    """
    return profile.scheduled + max(_WATCHERS - role_limit(max_connections), 0)


def small_work_mem(ram: Bytes) -> float:
    """work_mem in bytes of the roles that are not the app's: stock from 4 GiB of RAM on, below that less, to 1 MB."""
    return max(MIB, min(ram / 1024, 4 * MIB))


def share(max_connections: int, kept: int, report: int, workers: int, limit: float, pins: Pins) -> Connections:
    """Divide `max_connections`: half to the app's pools, a fifth of a worker's share as overflow, `report` to reports.

    The app's backends get at most a fifth of PostgreSQL's `limit` before any work_mem; this binds small hosts only.

    The upper bound per worker is `(max_connections - reserved) / (workers + 1)` (requirement C1): one worker more
    than configured may be alive while another is being replaced.
    """
    reserved = kept + others(max_connections) + report
    bound = max(1, (max_connections - reserved) // (workers + 1))
    affordable = limit * APP_SHARE / SESSION
    wanted = workers * max(1, min(max_connections // 2 // workers, bound))
    per_worker = max(1, min(wanted, int(affordable)) // workers)
    overflow = per_worker // 5
    size = per_worker - overflow
    if "DB_POOL_SIZE" in pins:
        size = int(pins["DB_POOL_SIZE"].value)
        overflow = min(size // 4, max(bound - size, 0))
    if "DB_MAX_OVERFLOW" in pins:
        overflow = int(pins["DB_MAX_OVERFLOW"].value)
    total = workers * (size + overflow)
    pinned = "DB_POOL_SIZE" in pins or "DB_MAX_OVERFLOW" in pins
    ceiling = total if pinned else max(total, min(wanted, affordable))
    headroom = max_connections - reserved - total
    return Connections(max_connections, workers, size, overflow, total, reserved, headroom, bound, ceiling, report)


def faults(connections: Connections) -> list[Problem]:
    """The common mistake: pools that together want more than the server gives, or than a reload leaves room for."""
    c = connections
    per_worker = c.pool_size + c.max_overflow
    total = f"pools of {counted(c.workers, 'worker')} x {per_worker} = {c.app_total} connections"
    if c.headroom < 0:
        message = f"{total}, with {c.reserved} reserved, are more than max_connections {c.max_connections}"
        return [Problem("pool_too_large", message, _smaller(c))]
    if per_worker > c.upper_bound:
        message = f"{total} leave no room for a worker that is being replaced: its successor connects before it is gone"
        return [Problem("pool_tight", message, f"at most {c.upper_bound} per worker (pool size + overflow)")]
    return []


def _smaller(c: Connections) -> str:
    enough = f"--connections {c.workers + c.reserved + c.workers}"
    bounded = c.workers * c.upper_bound + c.reserved
    if c.pool_size + c.max_overflow > c.upper_bound and bounded <= c.max_connections:
        return f"at most {c.upper_bound} per worker (pool size + overflow), or fewer workers"
    if c.reserved + c.workers > c.max_connections > c.workers:
        return f"fewer workers, fewer reserved connections, or {enough}"
    return f"fewer workers, or {enough}"


def roles(
    connections: Connections, profile: HardwareProfile, ledger: Ledger, statement_timeout_ms: int
) -> tuple[Role, ...]:
    """The database roles; timeouts bind the app only, never backup, migration or monitoring (requirement S8)."""
    small = {"work_mem": pg_size(floor_to(int(small_work_mem(profile.ram)), KIB))}
    app = {"statement_timeout": f"{statement_timeout_ms}ms"}
    for name, value in _APP_LIMITS.items():
        if ledger.has(name):
            app[name] = ledger.value(name) if ledger.pinned(name) else value
    # Said outright, so that a server-wide pin does not stop a migration or a dump.
    unlimited = {name: "0" for name in ("statement_timeout", "transaction_timeout") if ledger.has(name)}
    limit = role_limit(connections.max_connections)
    return (
        Role("owner", limit, small | unlimited),
        Role("app", connections.app_total, app),
        Role("monitor", limit + more_watchers(profile, connections.max_connections), small | _MONITOR_LIMITS),
        # Senders of WAL count too: the receiver has one, and a second one for a moment to look at its slot.
        Role("backup", limit + (0 if profile.wal is Wal.ARCHIVE else 2), small | unlimited),
    )
