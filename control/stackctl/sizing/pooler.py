"""PgBouncer between the app's pools and the server: how many connections stand on each side of it. Pure."""

from __future__ import annotations

from stackctl.errors import Problem
from stackctl.sizing import connections
from stackctl.sizing.model import Connections, Pins
from stackctl.units import KIB, Bytes, counted

# Measured on 1.24: a client takes 1.2 kB, and 10 with 100 statements prepared. A packet under way takes 4, and a
# program that prepares more than the app does shall not end the pooler for all.
CLIENT = 32 * KIB
# Supervisord gives its programs 4096 open files; connections to the server, the log and the listener need some too.
_FILES = 4096 - 512


def share(
    max_connections: int, kept: int, report: int, workers: int, limit: float, pins: Pins, memory: Bytes
) -> Connections:
    """Divide `max_connections`: half to the pooler, whatever the number of workers; `memory` is the pooler's share.

    The server sees the pooler's connections only. So nothing is kept for a worker that is being replaced, and nothing
    is lost by rounding to whole workers: what counts is the limit of the app's role, which the memory proof has. A
    worker may open twice its even share, as the others are seldom as busy; beyond the role's limit PgBouncer queues.
    """
    reserved = kept + connections.others(max_connections) + report
    wanted = max(1, min(max_connections // 2, max_connections - reserved))
    affordable = limit * connections.APP_SHARE / connections.SESSION
    total = max(1, min(wanted, int(affordable)))
    size = max(1, total // workers)
    size = int(pins["DB_POOL_SIZE"].value) if "DB_POOL_SIZE" in pins else size
    overflow = int(pins["DB_MAX_OVERFLOW"].value) if "DB_MAX_OVERFLOW" in pins else size
    clients = min(memory // CLIENT, _FILES)
    return Connections(
        max_connections=max_connections,
        workers=workers,
        pool_size=size,
        max_overflow=overflow,
        app_total=total,
        reserved=reserved,
        headroom=max_connections - reserved - total,
        # Clients of a worker that is being replaced still count.
        upper_bound=max(1, clients // (workers + 1)),
        app_ceiling=max(total, min(wanted, affordable)),
        report=report,
        pooler_clients=clients,
        pooler_servers=servers(total),
    )


def servers(limit: int) -> int:
    """Connections of PgBouncer to the server, by the role's limit: a tenth, at least one of three, is left over.

    A backend still counts for a moment, or until its statement ends, after PgBouncer has let go of it; the server
    would refuse its successor.
    """
    return limit - max(limit // 10, 1) if limit > 2 else limit


def faults(c: Connections) -> list[Problem]:
    """Pools that open more connections than the pooler takes, and a server without room for the pooler."""
    per_worker = c.pool_size + c.max_overflow
    total = f"pools of {counted(c.workers, 'worker')} x {per_worker} = {c.workers * per_worker} connections"
    if c.headroom < 0:
        message = f"{c.reserved} reserved connections leave none of max_connections {c.max_connections} to PgBouncer"
        return [Problem("pool_too_large", message, f"--connections {c.reserved + 2 * c.workers}")]
    hint = f"at most {c.upper_bound} per worker (pool size + overflow), or fewer workers"
    if c.workers * per_worker > c.pooler_clients:
        return [Problem("pool_too_large", f"{total} are more than the {c.pooler_clients} that PgBouncer takes", hint)]
    if per_worker > c.upper_bound:
        message = f"{total} leave no room at PgBouncer for a worker that is being replaced"
        return [Problem("pool_tight", message, hint)]
    return []
