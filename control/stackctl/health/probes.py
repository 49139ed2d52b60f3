"""Collect the facts of a running stack."""

from __future__ import annotations

import http.client
import urllib.request

from stackctl.engine.base import Engine
from stackctl.errors import Problem, StackError
from stackctl.hardware.detect import free_disk, on_one_device, total_disk
from stackctl.health.archiving import ARCHIVING, ArchiveUse, archive_use
from stackctl.health.model import Facts
from stackctl.health.pool import PoolUse, pool_use
from stackctl.health.receiver import receiver_wanted
from stackctl.health.receiving import RECEIVING, ReceiverUse, receiver_use
from stackctl.health.running import RUNNING, Running, running_of
from stackctl.health.vacuuming import VACUUMING, vacuum_use

# As the alerts do: dumps and reports are long by design, and a report ends by its own time limit. A parallel dump holds
# its snapshot in a session that idles.
_LONG = "state = 'active' AND usename NOT IN ('backup', 'report')"
_IDLE = "state LIKE 'idle in transaction%' AND usename <> 'backup'"
# Which session: by its number and role, and whom it waits for. What it says may hold data.
_WHO = """(SELECT format('pid %s, role %s', pid, usename) || CASE WHEN cardinality(blockers) > 0
               THEN ', waits for pid ' || array_to_string(blockers, ', ') ELSE '' END
        FROM (SELECT pid, usename, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity
              WHERE {0} AND pid <> pg_backend_pid() AND backend_type = 'client backend'
              ORDER BY {1} LIMIT 1) AS session)"""
_ACTIVITY = f"""
SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS connections,
       count(*) FILTER (WHERE usename = 'app' AND state <> 'idle') AS app,
       current_setting('max_connections')::int AS max_connections,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app') AS app_limit,
       extract(epoch FROM max(now() - query_start) FILTER (WHERE {_LONG} AND pid <> pg_backend_pid()
               AND backend_type = 'client backend')) AS longest,
       extract(epoch FROM max(now() - xact_start) FILTER (WHERE {_IDLE})) AS idle,
       {_WHO.format(_LONG, "query_start")} AS longest_by,
       {_WHO.format(_IDLE, "xact_start")} AS idle_by,
       (SELECT max(age(datfrozenxid)) FROM pg_database) AS oldest,
       (SELECT json_object_agg(coalesce(datname, 'what all databases share'), checksum_failures ORDER BY datname)
        FROM pg_stat_database WHERE checksum_failures > 0) AS damaged
FROM pg_stat_activity
"""  # noqa: S608 - texts of ours
# Only its session can vacuum a temporary table, and drops it in the end.
_DEAD = """
SELECT relname AS name, n_dead_tup AS dead, n_live_tup AS live FROM pg_stat_user_tables
WHERE schemaname !~ '^pg_temp_' ORDER BY n_dead_tup DESC LIMIT 20
"""


# The app's metrics are read from memory; a process that needs longer hangs.
_METRICS_SECONDS = 3.0


def collect(engine: Engine, metrics_url: str) -> Facts:
    """Ask engine, server and app, the last where it has metrics; one that does not answer leaves its facts out."""
    services = {state.name: state.health if state.state == "running" else state.state for state in engine.services()}
    place = engine.data_place()
    free, total, ballast = free_disk(place), total_disk(place), _held(engine)
    try:
        activity = engine.query(_ACTIVITY)[0]
        dead = engine.query(_DEAD, "app")
        vacuum = vacuum_use(engine.query(VACUUMING, "app")[0])
        running = observe(engine)
        archive = ask_archiver(engine)
        receiver = ask_receiver(engine) if receiver_wanted(services, running) else None
    except StackError:
        return Facts(services=services, disk_free=free, disk_total=total, ballast=ballast)
    return Facts(
        services=services,
        connections=activity["connections"],
        max_connections=activity["max_connections"],
        app_connections=activity["app"],
        app_limit=activity["app_limit"] or 0,
        pool=ask_pool(metrics_url) if metrics_url else None,
        longest_query_seconds=activity["longest"],
        longest_query_by=activity["longest_by"] or "",
        longest_idle_transaction_seconds=activity["idle"],
        idle_transaction_by=activity["idle_by"] or "",
        dead_tuples=[(row["name"], row["dead"], row["live"]) for row in dead],
        vacuum=vacuum,
        oldest_transaction_age=activity["oldest"],
        damaged_pages=activity["damaged"] or {},
        running=running,
        archive=archive,
        receiver=receiver,
        refused=running.refused,
        disk_free=free,
        disk_total=total,
        ballast=ballast,
        backups_beside_data=on_one_device(engine.repository(), place),
    )


def _held(engine: Engine) -> int | None:
    try:
        return engine.ballast().held()
    except StackError:
        return None


def observe(engine: Engine) -> Running:
    """The settings of the running server. Raises Unhealthy where it does not answer."""
    return running_of(engine.query(RUNNING)[0])


def ask_archiver(engine: Engine) -> ArchiveUse:
    """How archiving goes. Raises Unhealthy where the server does not answer."""
    return archive_use(engine.query(ARCHIVING)[0])


def asked_archiver(engine: Engine) -> tuple[ArchiveUse | None, list[Problem]]:
    """The same; None, and a problem that says why, where the server does not answer."""
    try:
        return ask_archiver(engine), []
    except StackError as error:
        return None, [Problem("not_asked", f"the server was not asked: {error}", "stackctl up")]


def ask_receiver(engine: Engine) -> ReceiverUse:
    """How the receiver keeps up. Raises Unhealthy where the server does not answer."""
    return receiver_use(engine.query(RECEIVING)[0])


def ask_pool(metrics_url: str) -> PoolUse | None:
    """Use of the app's pools now, from its metrics on loopback; None where it does not tell."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(metrics_url, timeout=_METRICS_SECONDS) as answer:
            return pool_use(answer.read().decode())
    except (OSError, http.client.HTTPException, ValueError):
        return None
