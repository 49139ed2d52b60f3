"""Facts of a running stack, and the verdict on each."""

from dataclasses import replace

import pytest

from stackctl.health.archiving import ArchiveUse
from stackctl.health.checks import judge
from stackctl.health.drift import Drift, Pending
from stackctl.health.model import Facts, Status
from stackctl.health.pool import PoolUse
from stackctl.health.running import FileLine
from stackctl.health.vacuuming import VacuumUse

ARCHIVING = ArchiveUse("on", 7, "000000010000000000000007", 30.0, 0, None, None, 0, "1", "0/8000000")
FINE = Facts(
    services={"app": "healthy", "postgres": "healthy"},
    connections=40,
    max_connections=200,
    app_connections=10,
    app_limit=100,
    dead_tuples=[("tools", 100, 900)],
    vacuum=VacuumUse(True, 0, 3),
    oldest_transaction_age=1000,
    archive=ARCHIVING,
    disk_free=50,
    disk_total=100,
    ballast=2**30,
    backups_beside_data=False,
)
WORK_MEM = Drift("work_mem", "5MB", "32MB", "ALTER SYSTEM", "reload", "ALTER SYSTEM RESET work_mem;")
OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP


def _checks(**fields):
    return {check.id: check for check in judge(replace(FINE, **fields))}


def test_a_healthy_stack_passes_every_check_and_needs_no_hint():
    checks = _checks()
    assert {check.status for check in checks.values()} == {OK}
    assert not any(check.hint for check in checks.values())
    assert list(checks) == [
        "service_app",
        "service_postgres",
        "database",
        "connections",
        "pool",
        "long_queries",
        "idle_in_transaction",
        "dead_tuples",
        "autovacuum",
        "wraparound",
        "checksums",
        "archive",
        "pending_restart",
        "refused_lines",
        "alter_system",
        "memory_proof",
        "drift",
        "disk",
        "ballast",
        "backup_place",
    ]


@pytest.mark.parametrize(
    ("check", "fields", "status"),
    [
        ("archive", {"archive": None}, SKIP),
        ("archive", {"archive": replace(ARCHIVING, mode="off")}, WARN),
        ("archive", {"archive": replace(ARCHIVING, failed=3, failed_seconds=29.0)}, FAIL),
        ("archive", {"archive": replace(ARCHIVING, failed=3, failed_seconds=31.0)}, OK),
        ("archive", {"archive": replace(ARCHIVING, last=None, seconds=None, failed=1, failed_seconds=5.0)}, FAIL),
        ("archive", {"archive": replace(ARCHIVING, last=None, seconds=None)}, OK),
        ("archive", {"archive": replace(ARCHIVING, waiting=4)}, OK),
        ("archive", {"archive": replace(ARCHIVING, waiting=5)}, WARN),
        ("connections", {"connections": 150}, OK),
        ("connections", {"connections": 151}, WARN),
        ("connections", {"connections": 180}, WARN),
        ("connections", {"connections": 181}, FAIL),
        ("pool", {"app_connections": 75}, OK),
        ("pool", {"app_connections": 76}, WARN),
        ("pool", {"app_connections": 91}, FAIL),
        ("pool", {"app_connections": 3, "app_limit": 0}, OK),
        ("pool", {"app_connections": 3, "app_limit": -1}, OK),  # a role without a limit
        ("pool", {"app_connections": 100, "pool": PoolUse(40, 10, 37, 3, 0)}, OK),  # what the app says goes first
        ("pool", {"pool": PoolUse(40, 10, 38, 2, 0)}, WARN),
        ("pool", {"pool": PoolUse(40, 10, 45, 0, 0)}, WARN),
        ("pool", {"pool": PoolUse(40, 10, 46, 0, 0)}, FAIL),
        ("pool", {"pool": PoolUse(40, 10, 0, 40, 9)}, OK),  # refused some time since the app started
        ("long_queries", {"longest_query_seconds": None}, OK),
        ("long_queries", {"longest_query_seconds": 300}, OK),
        ("long_queries", {"longest_query_seconds": 301}, WARN),
        ("idle_in_transaction", {"longest_idle_transaction_seconds": 60}, OK),
        ("idle_in_transaction", {"longest_idle_transaction_seconds": 61}, WARN),
        ("dead_tuples", {"dead_tuples": []}, OK),
        ("dead_tuples", {"dead_tuples": [("t", 10_000, 0)]}, OK),  # too few to matter
        ("dead_tuples", {"dead_tuples": [("t", 20_000, 80_000)]}, OK),  # just 20 %
        ("dead_tuples", {"dead_tuples": [("ok", 0, 9), ("t", 20_001, 80_000)]}, WARN),
        ("wraparound", {"oldest_transaction_age": None}, OK),
        ("wraparound", {"oldest_transaction_age": 1_000_000_000}, OK),
        ("wraparound", {"oldest_transaction_age": 1_000_000_001}, WARN),
        ("wraparound", {"oldest_transaction_age": 1_500_000_001}, FAIL),
        ("checksums", {"damaged_pages": {"app": 1}}, FAIL),
        ("pending_restart", {"pending_restart": [Pending("shared_buffers", "1GB", "2GB", False)]}, WARN),
        ("refused_lines", {"refused": [FileLine("jit", "maybe", "postgresql.auto.conf", 3, "no")]}, WARN),
        ("alter_system", {"drift": [WORK_MEM]}, WARN),
        ("alter_system", {"drift": [WORK_MEM, replace(WORK_MEM, name="fsync", danger="it loses data")]}, FAIL),
        ("alter_system", {"drift": [replace(WORK_MEM, as_profile=True)]}, OK),
        ("drift", {"drift": [replace(WORK_MEM, source="ALTER ROLE app")]}, WARN),
        ("drift", {"drifted": ["jit"]}, WARN),
        ("drift", {"drift_unknown": "the registry does not answer"}, SKIP),
        ("disk", {"disk_free": 15}, OK),
        ("disk", {"disk_free": 14}, WARN),
        ("disk", {"disk_free": 5}, WARN),
        ("disk", {"disk_free": 4}, FAIL),
        ("disk", {"disk_free": None}, SKIP),
        ("disk", {"disk_total": 0}, SKIP),
        ("service_app", {"services": {"app": "healthy"}}, OK),
        ("service_app", {"services": {"app": "starting"}}, FAIL),
        ("service_app", {"services": {"app": "exited"}}, FAIL),
    ],
)
def test_verdicts(check, fields, status):
    checks = _checks(**fields)
    assert checks[check].status is status
    # What is not fine says what to do, and what is fine does not.
    assert bool(checks[check].hint) is (status in (WARN, FAIL))
    others = {name: each.status for name, each in checks.items() if name != check}
    assert set(others.values()) == {OK}


def test_evidence_names_what_was_seen():
    checks = _checks(
        connections=151,
        longest_query_seconds=400.4,
        longest_query_by="pid 7, role app, waits for pid 8",
        dead_tuples=[("orders", 30_000, 10_000)],
        pending_restart=[
            Pending("max_connections", "50", "60", by_alter_system=False),
            Pending("shared_buffers", "1GB", "2GB", by_alter_system=True),
        ],
        refused=[FileLine("jit", "maybe", "/data/postgresql.auto.conf", 3, "setting could not be applied")],
        drift=[WORK_MEM, replace(WORK_MEM, value="", wanted="x", waits="restart")],
        disk_free=10,
        drift_unknown="--ram: '16X' is not a size",
    )
    assert checks["drift"].evidence == "not compared: --ram: '16X' is not a size"
    assert checks["connections"].evidence == "151 of 200 connections"
    assert checks["long_queries"].evidence == "longest statement runs for 400 s (pid 7, role app, waits for pid 8)"
    assert checks["dead_tuples"].evidence == "dead rows: orders 30000 of 40000"
    assert checks["pending_restart"].evidence == (
        "can only change at a restart: max_connections 50 -> 60 (postgresql.conf), "
        "shared_buffers 1GB -> 2GB (ALTER SYSTEM)"
    )
    assert checks["pending_restart"].hint.startswith("stackctl up restarts")
    assert "ALTER SYSTEM RESET" in checks["pending_restart"].hint
    assert checks["refused_lines"].evidence == (
        "/data/postgresql.auto.conf:3 jit = maybe: setting could not be applied"
    )
    assert checks["alter_system"].evidence == (
        "work_mem = 5MB (wanted 32MB), work_mem = '' (wanted x, waits for a restart)"
    )
    assert checks["disk"].evidence == "10% free"


def test_a_value_of_the_profile_set_once_more_is_told_mildly():
    check = _checks(drift=[replace(WORK_MEM, value="32MB", as_profile=True)])["alter_system"]
    assert (check.status, check.hint) == (OK, "")
    assert check.evidence == "work_mem = 32MB (as the profile): wins over later changes"


def test_memory_that_the_proof_did_not_count_is_named():
    above = replace(WORK_MEM, value="1GB", above_proof=True)
    checks = _checks(drift=[above, replace(above, value="64MB", source="ALTER ROLE app")], drifted=["jit = on"])
    assert checks["memory_proof"].status is WARN
    assert checks["memory_proof"].evidence == (
        "the memory proof does not hold with work_mem = 1GB set by ALTER SYSTEM, work_mem = 64MB set by ALTER ROLE app"
    )
    assert (
        checks["drift"].evidence == "jit = on, work_mem = 64MB (wanted 32MB) by ALTER ROLE app: not as the profile says"
    )


def test_a_server_that_does_not_answer_is_one_failure_and_no_guesses():
    checks = _checks(connections=None)
    assert list(checks) == ["service_app", "service_postgres", "database", "disk", "ballast"]
    assert (checks["database"].status, checks["database"].hint) == (FAIL, "stackctl logs postgres")


def test_a_stack_that_does_not_run():
    checks = _checks(services={}, connections=None)
    assert (checks["services"].status, checks["services"].hint) == (FAIL, "stackctl up")


def test_a_saturated_pool_says_how_many_were_refused():
    check = _checks(pool=PoolUse(size=40, max_overflow=10, checked_out=50, idle=0, timeouts=12))["pool"]
    assert check.evidence == "50 of 50 pooled connections in use, 0 idle, 12 requests refused since the app started"
    assert "slow statements" in check.hint


@pytest.mark.parametrize(("busy", "status"), [(0, OK), (67, OK), (68, WARN), (81, WARN), (82, FAIL)])
def test_a_saturated_pooler_is_seen_although_the_apps_pools_have_room(busy, status):
    """Behind a role limit of 100 PgBouncer opens 90 connections."""
    services = {"app": "healthy", "postgres": "healthy", "pgbouncer": "healthy"}
    pool = PoolUse(size=100, max_overflow=100, checked_out=busy, idle=10, timeouts=0)
    checks = _checks(services=services, app_connections=busy, pool=pool)
    assert checks["pooler"].status is status
    assert checks["pooler"].evidence == f"{busy} of 90 of PgBouncer's connections to the server busy"


def test_no_pooler_no_check():
    assert "pooler" not in _checks()


def test_a_ballast_that_was_freed_is_missed():
    gone = _checks(ballast=0)["ballast"]
    assert (gone.status, "stackctl up" in gone.hint) == (WARN, True)
    assert "ballast" not in _checks(ballast=None), "an engine that cannot tell is not blamed"


def test_a_full_disk_is_told_although_the_server_is_down_and_so_is_what_helps():
    down = _checks(connections=None, disk_free=1)
    assert (down["database"].status, down["disk"].status) == (FAIL, FAIL)
    assert "stackctl ballast free gives 1 GiB back at once" in down["disk"].hint
    assert "ballast" not in _checks(disk_free=1, ballast=0)["disk"].hint
