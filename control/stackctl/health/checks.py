"""Health checks: facts in, one verdict each out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.health.archiving import ArchiveUse
from stackctl.health.configuration import judge_settings
from stackctl.health.model import Check, Facts, Status, backup_place
from stackctl.health.receiver import judge_receiver, receiver_wanted
from stackctl.health.vacuum import FEW_DEAD_ROWS, judge_vacuum
from stackctl.sizing.pooler import servers
from stackctl.units import counted, human

_LONG_QUERY = 300.0
_IDLE_TRANSACTION = 60.0
# Two are on their way while a segment is cut every minute.
_WAITING = 4
_DEAD_SHARE = 0.2
_WRAPAROUND_WARN, _WRAPAROUND_FAIL = 1_000_000_000, 1_500_000_000
_ARCHIVE_HINT = "stackctl logs postgres says why: look for archive-wal or push-wal, or: stackctl wal status"


def judge(facts: Facts) -> tuple[Check, ...]:
    """All checks, in the order in which an operator would ask."""
    found = [*_services(facts)]
    if facts.connections is None:
        return (
            *found,
            Check("database", Status.FAIL, "PostgreSQL does not answer", "stackctl logs postgres"),
            *_disk(facts),
        )
    return (*found, Check("database", Status.OK, "PostgreSQL answers"), *_database(facts))


def _database(facts: Facts) -> tuple[Check, ...]:
    return (
        _share(
            "connections",
            facts.connections or 0,
            facts.max_connections,
            "connections",
            "pg_stat_activity shows who holds them; raise --connections or lower the pools",
        ),
        _pool(facts),
        *_pooler(facts),
        _longer(
            "long_queries",
            facts.longest_query_seconds,
            _LONG_QUERY,
            "longest statement",
            facts.longest_query_by,
            "pg_cancel_backend(PID) ends it; stackctl logs postgres --slow shows what took long before",
        ),
        _longer(
            "idle_in_transaction",
            facts.longest_idle_transaction_seconds,
            _IDLE_TRANSACTION,
            "longest idle transaction",
            facts.idle_transaction_by,
            "a client forgot to commit; it holds back vacuum; pg_terminate_backend(PID) ends it",
        ),
        _bloat(facts),
        judge_vacuum(facts.vacuum),
        _wraparound(facts),
        _checksums(facts.damaged_pages),
        _archive(facts.archive),
        *([judge_receiver(facts.receiver)] if receiver_wanted(facts.services, facts.running) else []),
        *judge_settings(facts),
        *_disk(facts),
        backup_place(facts.backups_beside_data),
    )


def _services(facts: Facts) -> list[Check]:
    if not facts.services:
        return [Check("services", Status.FAIL, "nothing runs", "stackctl up")]
    return [
        Check(
            f"service_{name}",
            Status.OK if state == "healthy" else Status.FAIL,
            state,
            "" if state == "healthy" else f"stackctl logs {name}",
        )
        for name, state in sorted(facts.services.items())
    ]


def _share(name: str, used: int, limit: int, what: str, hint: str) -> Check:
    share = used / limit if limit else 0.0
    status = Status.FAIL if share > 0.9 else Status.WARN if share > 0.75 else Status.OK
    return Check(name, status, f"{used} of {limit} {what}", "" if status is Status.OK else hint)


def _pool(facts: Facts) -> Check:
    """Saturation of the app's pools: by its own count, else by the server's, which does not see who waits."""
    pool, hint = facts.pool, "more workers do not help; look for slow statements: stackctl logs postgres --slow"
    if pool is None:
        return _share("pool", facts.app_connections, facts.app_limit, "of the app's connections busy", hint)
    refused = f", {counted(pool.timeouts, 'request')} refused since the app started" if pool.timeouts else ""
    what = f"pooled connections in use, {pool.idle} idle{refused}"
    return _share("pool", pool.checked_out, pool.capacity, what, hint)


def _pooler(facts: Facts) -> list[Check]:
    """Saturation behind the app's pools, where the requests of all of them meet."""
    if "pgbouncer" not in facts.services:
        return []
    hint = "clients wait in PgBouncer; look for slow statements: stackctl logs postgres --slow"
    what = "of PgBouncer's connections to the server busy"
    return [_share("pooler", facts.app_connections, servers(facts.app_limit), what, hint)]


def _longer(name: str, seconds: float | None, limit: float, what: str, who: str, hint: str) -> Check:
    if seconds is None:
        return Check(name, Status.OK, f"no {what.split(' ', 1)[1]}")
    status = Status.WARN if seconds > limit else Status.OK
    by = f" ({who})" if who else ""
    return Check(name, status, f"{what} runs for {seconds:.0f} s{by}", "" if status is Status.OK else hint)


def _bloat(facts: Facts) -> Check:
    bad = [
        f"{table} {dead} of {dead + live}"
        for table, dead, live in facts.dead_tuples
        if dead > FEW_DEAD_ROWS and dead > _DEAD_SHARE * (dead + live)
    ]
    if not bad:
        return Check("dead_tuples", Status.OK, "no table has more than 20 % dead rows")
    return Check(
        "dead_tuples",
        Status.WARN,
        f"dead rows: {', '.join(bad[:3])}",
        "VACUUM (VERBOSE) the table, and look for what holds it back",
    )


def _wraparound(facts: Facts) -> Check:
    age = facts.oldest_transaction_age or 0
    status = Status.FAIL if age > _WRAPAROUND_FAIL else Status.WARN if age > _WRAPAROUND_WARN else Status.OK
    hint = "" if status is Status.OK else "vacuum the oldest tables now; the server stops at 2 billion"
    return Check("wraparound", status, f"oldest transaction is {age} old, of 2 billion", hint)


def _checksums(damaged: Mapping[str, int]) -> Check:
    """Each failure is a page whose bytes are not those that were written."""
    if not damaged:
        return Check("checksums", Status.OK, "no damaged page was met")
    where = ", ".join(f"{count} in {database}" for database, count in damaged.items())
    hint = "stackctl logs postgres names the files; docs/runbooks/ChecksumFailures.md says how to get them back"
    return Check("checksums", Status.FAIL, f"damaged pages were met: {where}", hint)


def _disk(facts: Facts) -> tuple[Check, ...]:
    """What is free, and whether room is held back for the day when nothing is."""
    if facts.disk_free is None or not facts.disk_total:
        return (Check("disk", Status.SKIP, "not measured"),)
    if facts.ballast is None:
        return (_free(facts.disk_free, facts.disk_total, 0),)
    return (_free(facts.disk_free, facts.disk_total, facts.ballast), _ballast(facts.ballast))


def _free(there: int, total: int, held: int) -> Check:
    free = there / total
    status = Status.FAIL if free < 0.05 else Status.WARN if free < 0.15 else Status.OK
    now = f"; stackctl ballast free gives {human(held)} back at once" if held and status is Status.FAIL else ""
    hint = "" if status is Status.OK else f"free space, or move the data to a larger disk{now}"
    return Check("disk", status, f"{free:.0%} free", hint)


def _ballast(held: int) -> Check:
    if held:
        return Check("ballast", Status.OK, f"{human(held)} are held back for a full disk")
    return Check("ballast", Status.WARN, "no room is held back for a full disk", "stackctl up does, once there is room")


def _archive(use: ArchiveUse | None) -> Check:
    """Failing, behind, off, or fine."""
    if use is None:
        return Check("archive", Status.SKIP, "not measured")
    if use.mode == "off":
        return Check("archive", Status.WARN, "archive_mode is off", "stackctl up turns it on, unless it is pinned")
    if use.failing:
        evidence = f"{use.last_failed} cannot be archived, {counted(use.waiting, 'file')} waiting"
        return Check("archive", Status.FAIL, evidence, _ARCHIVE_HINT)
    if use.waiting > _WAITING:
        evidence = f"{use.waiting} files wait to be archived"
        return Check("archive", Status.WARN, evidence, "the archive's disk is slow, or was away; stackctl wal status")
    if use.seconds is None:
        return Check("archive", Status.OK, "nothing to archive yet")
    return Check("archive", Status.OK, f"last file {use.seconds:.0f} s ago, {use.waiting} wait")
