"""PgBouncer before a throwaway server, as a stack has it: a connection belongs to a client for one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from stackctl.bench import pgbench
from stackctl.bench.instance import CLIENT, Instance
from stackctl.engine.rooms import Rooms
from stackctl.errors import EngineFailed

_PORT = 6432
_READY_SECONDS = 15.0
_INI = """
[databases]
{database} = host={folder} port=5432 user={client}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
listen_backlog = 1024
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 2000
pidfile = {folder}/pgbouncer.pid
logfile = {folder}/pgbouncer.log
"""


@contextmanager
def running_pooler(rooms: Rooms, instance: Instance) -> Iterator[str]:
    """A connection string that leads through PgBouncer, with as many connections to the server as the pool has.

    Raises ImageUnavailable where there is no PgBouncer, EngineFailed where it does not come.
    """
    folder = instance.room.socket
    ini = folder / "pgbouncer.ini"
    values = {"folder": folder, "client": CLIENT, "port": _PORT, "connections": instance.contender.pool}
    rooms.write(ini, _INI.format(database=pgbench.DATABASE, **values))
    door, deadline = folder / f".s.PGSQL.{_PORT}", time.monotonic() + _READY_SECONDS
    # It was killed the last time, and would take these for those of one that runs.
    for left in (door, ini.with_suffix(".pid")):
        left.unlink(missing_ok=True)
    with rooms.pooler(instance.room, ini):
        while not door.exists():
            if time.monotonic() > deadline:
                raise EngineFailed("PgBouncer did not open its socket", hint=f"it ran before {instance.name}")
            time.sleep(0.05)
        yield instance.reach.replace("port=5432", f"port={_PORT}")
