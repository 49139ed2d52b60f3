"""When the pool adds connections, and that it keeps the others."""

from __future__ import annotations

from http_load import Load, get
from running_app import Database, Serve
from running_postgres import wait_until


def sessions(database: Database) -> int:
    """How many sessions were ever begun in the database; asked from another one."""
    found = database.postgres.execute(f"SELECT sessions FROM pg_stat_database WHERE datname = '{database.name}'")
    ((number,),) = found
    return int(number)


def test_bursts_of_requests_share_the_connections_that_are_kept(database: Database, serve: Serve) -> None:
    served = serve(database.environ(), DB_POOL_SIZE="2", DB_MAX_OVERFLOW="2")
    port = served.client.base_url.port
    assert port is not None
    before = sessions(database)
    for _ in range(5):
        with Load(port, get("/tools"), clients=20, total=400) as burst:
            burst.wait()
        assert burst.statuses == {200: 400}
    assert wait_until(lambda: served.metric("app_db_pool_idle") == 2)
    # A session that ended is counted at its end; four are all that may ever be open at once.
    assert sessions(database) - before <= 4
