"""Facts of a running stack, and the verdict on each."""

from dataclasses import replace

import pytest

from stackctl.health.checks import judge
from stackctl.health.model import Facts, Status

FINE = Facts(
    services={"app": "healthy", "postgres": "healthy"},
    connections=40,
    max_connections=200,
    app_connections=10,
    app_limit=100,
    dead_tuples=[("tools", 100, 900)],
    oldest_transaction_age=1000,
    disk_free=50,
    disk_total=100,
)
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
        "wraparound",
        "pending_restart",
        "alter_system",
        "drift",
        "disk",
    ]


@pytest.mark.parametrize(
    ("check", "fields", "status"),
    [
        ("connections", {"connections": 150}, OK),
        ("connections", {"connections": 151}, WARN),
        ("connections", {"connections": 180}, WARN),
        ("connections", {"connections": 181}, FAIL),
        ("pool", {"app_connections": 75}, OK),
        ("pool", {"app_connections": 76}, WARN),
        ("pool", {"app_connections": 91}, FAIL),
        ("pool", {"app_connections": 3, "app_limit": 0}, OK),
        ("pool", {"app_connections": 3, "app_limit": -1}, OK),  # a role without a limit
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
        ("pending_restart", {"pending_restart": ["shared_buffers"]}, WARN),
        ("alter_system", {"altered": ["work_mem"]}, WARN),
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
        dead_tuples=[("orders", 30_000, 10_000)],
        pending_restart=["shared_buffers", "max_connections"],
        disk_free=10,
        drift_unknown="--ram: '16X' is not a size",
    )
    assert checks["drift"].evidence == "not compared: --ram: '16X' is not a size"
    assert checks["connections"].evidence == "151 of 200 connections"
    assert checks["long_queries"].evidence == "longest statement runs for 400 s"
    assert checks["dead_tuples"].evidence == "dead rows: orders 30000 of 40000"
    assert checks["pending_restart"].evidence == "shared_buffers, max_connections: wait for a restart"
    assert checks["disk"].evidence == "10% free"


def test_a_server_that_does_not_answer_is_one_failure_and_no_guesses():
    checks = _checks(connections=None)
    assert list(checks) == ["service_app", "service_postgres", "database"]
    assert (checks["database"].status, checks["database"].hint) == (FAIL, "stackctl logs postgres")


def test_a_stack_that_does_not_run():
    checks = _checks(services={}, connections=None)
    assert (checks["services"].status, checks["services"].hint) == (FAIL, "stackctl up")
