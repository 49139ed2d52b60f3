"""The observer of a real stack: what Prometheus gets of it, and what is left when the database is gone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring_programs import MonitoringPrograms
from running_stack import Stack, docker, eventually, wheel_programs

ENGINES = ("docker", "embedded")
# One metric of each collector but those of bloat: they looked before there was a table, and do so again in 5 minutes.
FAMILIES = {
    "stackctl_up",
    "stackctl_build_info",
    "stackctl_database_cpu_seconds",
    "stackctl_database_memory_bytes",
    "stackctl_settings_drift",
    "stackctl_settings_pending_restart",
    "stackctl_checksum_failures",
    "stackctl_io_operations",
    "stackctl_memory_proof_bytes",
    "stackctl_pool_limit",
    "stackctl_disk_free_bytes",
    "stackctl_archive_waiting_files",
    "stackctl_backups",
    "stackctl_backup_job_late",
    "stackctl_repository_free_bytes",
    "stackctl_repository_success",
    "stackctl_look_success",
    "stackctl_collector_success",
}
LOAD = "CREATE TABLE load AS SELECT g AS id, md5(g::text) AS t FROM generate_series(1, 50000) g; "
LOAD += "ALTER TABLE load ADD PRIMARY KEY (id); ANALYZE load"


@pytest.fixture(scope="module", params=ENGINES)
def observed(
    request: pytest.FixtureRequest, monitoring: MonitoringPrograms, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack with monitoring, a backup and a table that the planner knows."""
    stack = Stack(tmp_path_factory.mktemp(f"observed-{request.param}"), request.param)
    stack.write(backup={"schedule": {"full": "15 2 * * *"}})
    if request.param == "embedded":
        stack.variables["PATH"] = monitoring.path("prometheus", "exporter")
    try:
        stack.up()
        stack.sql(LOAD)
        yield stack
    finally:
        stack.remove()


def asked(stack: Stack, query: str) -> list[dict[str, Any]]:
    """The series that Prometheus has for a query."""
    words = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(
        f"http://127.0.0.1:{stack.ports['prometheus']}/api/v1/query?{words}", timeout=10
    ) as page:
        found: list[dict[str, Any]] = json.load(page)["data"]["result"]
        return found


def value(stack: Stack, query: str) -> float | None:
    """The value of the one series."""
    found = asked(stack, query)
    return float(found[0]["value"][1]) if len(found) == 1 else None


def state(stack: Stack, service: str) -> str:
    services = stack.run("status", "--json").data["services"]
    return next((each["health"] for each in services if each["name"] == service), "")


def page(stack: Stack) -> str:
    """The metrics as they are served, from where Prometheus gets them."""
    if stack.engine == "embedded":
        with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['observer']}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    done = docker("exec", stack.container("prometheus"), "wget", "-qO-", "http://observer:9188/metrics")
    assert done.code == 0, done.said
    return done.out


def families(stack: Stack) -> set[str]:
    """Those with a sample on the page."""
    return {family.name for family in text_string_to_metric_families(page(stack)) if family.samples}


@pytest.mark.full_on("embedded")
def test_prometheus_has_all_families_within_a_scrape_of_200_ms(observed: Stack) -> None:
    assert state(observed, "observer") == "healthy"
    eventually(lambda: value(observed, 'up{job="stackctl"}') == 1, 60, "Prometheus gets the page")
    eventually(lambda: value(observed, "stackctl_up") == 1, 60, "the server answers the role monitor")
    version = int(observed.sql("SHOW server_version_num")) // 10000
    wanted = FAMILIES if version >= 16 else FAMILIES - {"stackctl_io_operations"}
    # Which jobs are late is told from what the look at the repository found before.
    eventually(lambda: wanted <= families(observed), 60, f"all of {sorted(wanted)}")
    assert asked(observed, "stackctl_collector_success == 0") == []
    # It is on the page a moment before Prometheus has it.
    eventually(lambda: value(observed, "stackctl_settings_drift") is not None, 30, "Prometheus has what is on the page")
    assert value(observed, "stackctl_settings_drift") == 0
    assert value(observed, 'stackctl_look_success{job="stackctl"}') == 1
    eventually(lambda: value(observed, 'scrape_duration_seconds{job="stackctl"} < 0.2'), 60, "a scrape is fast")


def test_a_table_and_its_index_are_measured(observed: Stack) -> None:
    observed.sql("ALTER TABLE load SET (autovacuum_enabled = off); DELETE FROM load WHERE id % 2 = 0; ANALYZE load")
    once = observed.run("exporter", "--once").out
    (ratio,) = re.findall(r'stackctl_table_bloat_ratio\{[^}]*relname="load"[^}]*\} (\S+)', once)
    assert 0.4 < float(ratio) < 0.6
    assert re.findall(r'stackctl_index_bloat_ratio\{[^}]*indexrelname="load_pkey"[^}]*\} \S+', once)


@pytest.mark.full_on("embedded")
def test_drift_and_what_waits_for_a_restart_are_counted(observed: Stack) -> None:
    observed.sql("ALTER SYSTEM SET max_connections = 77", "postgres")
    observed.sql("ALTER SYSTEM SET work_mem = '3MB'", "postgres")
    observed.sql("SELECT pg_reload_conf()", "postgres")
    try:
        eventually(lambda: value(observed, "stackctl_settings_drift") == 2, 120, "both are seen")
        assert value(observed, "stackctl_settings_pending_restart") == 1
    finally:
        observed.sql("ALTER SYSTEM RESET ALL", "postgres")
        observed.sql("SELECT pg_reload_conf()", "postgres")


def test_cpu_of_short_lived_connections_is_counted_within_5_percent(observed: Stack) -> None:
    def told() -> float:
        (found,) = re.findall(r"(?m)^stackctl_database_cpu_seconds_total (\S+)$", page(observed))
        return float(found)

    def settled() -> float:
        """As it is told with nothing between: a look each 15 s."""
        known = told()
        eventually(lambda: told() != known, 40, "there is a new look")
        return told()

    before, outside = settled(), account(observed)
    for _ in range(20):
        churn(observed, 5)
        if (used := account(observed) - outside) > 8:
            break
    counted = settled() - before
    assert used > 8, "there was no load"
    # What the server does between both pairs of looks, of at most 15 s each, is no part of the load.
    assert counted == pytest.approx(used, rel=0.05, abs=0.4)


@pytest.mark.full_on("embedded")
def test_without_a_database_the_rest_stays(observed: Stack) -> None:
    stop(observed)
    try:
        eventually(lambda: value(observed, "stackctl_up") == 0, 90, "it is seen that the server is gone")
        assert value(observed, 'up{job="stackctl"}') == 1
        text = page(observed)
        assert "stackctl_backups{" in text
        assert "stackctl_memory_proof_bytes " in text
        assert 'stackctl_disk_free_bytes{disk="data"}' in text
        # A counter that stands still would say: idle.
        eventually(lambda: "stackctl_database_cpu_seconds_total " not in page(observed), 60, "there is no such counter")
        assert 'stackctl_collector_success{collector="backups"} 1' in text
        assert state(observed, "observer") == "healthy"
    finally:
        begin(observed)
    eventually(lambda: value(observed, "stackctl_up") == 1, 120, "it is seen again")


@pytest.mark.full_on("docker")
def test_a_table_that_is_locked_holds_nothing_up(observed: Stack) -> None:
    began = time.monotonic()
    with holding(observed, "LOCK TABLE load IN ACCESS EXCLUSIVE MODE"):
        once = observed.run("exporter", "--once")
    assert once.code == 0, once.said
    assert not re.findall(r"(?m)^stackctl_collector_success\S* 0", once.out)
    assert time.monotonic() - began < 20


@pytest.mark.full_on("embedded")
def test_a_table_that_is_locked_takes_one_collector_of_the_exporter_and_no_scrape(observed: Stack) -> None:
    """A scrape that times out is PostgresExporterDown, which holds back the alerts that tell of the lock."""
    eventually(lambda: value(observed, 'up{job="postgres"}') == 1, 60, "the exporter is asked")
    # Two scrapes at least.
    with holding(observed, "LOCK TABLE load IN ACCESS EXCLUSIVE MODE", 35):
        failed = 'pg_scrape_collector_success{collector="stat_user_tables"} == 0'
        eventually(lambda: value(observed, failed) == 0, 60, "a scrape under the lock brings the rest")
        assert value(observed, 'up{job="postgres"}') == 1
        assert value(observed, "pg_up") == 1


def test_the_container_may_do_nothing_but_look(observed: Stack) -> None:
    if observed.engine != "docker":
        assert oct(observed.private.stat().st_mode)[-3:] == "700", "the operator's own"
        return
    name = observed.container("observer")
    (told,) = json.loads(docker("inspect", name).out)
    host = told["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not any(mount["RW"] for mount in told["Mounts"]), told["Mounts"]
    assert "docker.sock" not in json.dumps(told)
    assert docker("exec", name, "sh", "-c", "cat /proc/self/status").out.count("CapEff:\t0000000000000000") == 1
    assert sorted(docker("exec", name, "ls", "/run/secrets").out.split()) == ["monitor_password"]
    assert docker("exec", name, "sh", "-c", "exec 3<>/dev/tcp/1.1.1.1/53").code != 0
    (volume,) = (mount["Name"] for mount in told["Mounts"] if mount["Type"] == "volume")
    place = json.loads(docker("volume", "inspect", volume).out)[0]["Mountpoint"]
    size = docker("exec", name, "stat", "--file-system", "--format", "%b", "/var/lib/stackctl/room").out.strip()
    assert int(size) == os.statvfs(place).f_blocks, "it is on the disk of the volumes"
    assert list(Path(place).iterdir()) == []
    networks = {key.rpartition("_")[2] for key in told["NetworkSettings"]["Networks"]}
    assert networks == {"database", "observed"}


def account(stack: Stack) -> float:
    """CPU seconds of the database as the kernel has them, from outside."""
    if stack.engine == "embedded":
        root = stack.postmaster()
        tree = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        parents = [tuple(map(int, line.split())) for line in tree.splitlines()]
        family = {root}
        for _ in range(3):
            family |= {pid for pid, above in parents if above in family}
        return sum(ticks(pid) for pid in family) / os.sysconf("SC_CLK_TCK")
    identity = docker("inspect", "-f", "{{.Id}}", stack.container("postgres")).out.strip()
    (usage, *_) = [
        int(file.read_text()) / 1e9 for file in Path("/sys/fs/cgroup").glob(f"cpuacct/**/{identity}/cpuacct.usage")
    ] or [
        int(re.findall(r"usage_usec (\d+)", file.read_text())[0]) / 1e6
        for file in Path("/sys/fs/cgroup").glob(f"**/*{identity}*/cpu.stat")
    ]
    return usage


def ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])


def churn(stack: Stack, seconds: int) -> None:
    """A connection for each transaction, which ends before anybody could look at its process."""
    load = ["-n", "-C", "-S", "-c", "1", "-T", str(seconds), "app"]
    if stack.engine == "docker":
        for words in (["-i", "-q", "app"], load):
            done = docker(
                "exec", stack.container("postgres"), "pgbench", "-U", "postgres", *words, seconds=seconds + 60
            )
            assert done.code == 0, done.said
        return
    login = [str(wheel_programs() / "pgbench"), "-h", "127.0.0.1", "-p", str(stack.ports["postgres"]), "-U", "owner"]
    variables = {**os.environ, "PGPASSWORD": stack.secret("owner_password")}
    for words in (["-i", "-q", "app"], load):
        subprocess.run([*login, *words], env=variables, check=True, capture_output=True)


def stop(stack: Stack) -> None:
    """A server that is gone, or one that hangs."""
    if stack.engine == "docker":
        assert docker("stop", stack.container("postgres")).code == 0
    else:
        os.kill(stack.postmaster(), signal.SIGSTOP)


def begin(stack: Stack) -> None:
    if stack.engine == "docker":
        stack.up()
    else:
        os.kill(stack.postmaster(), signal.SIGCONT)


@contextmanager
def holding(stack: Stack, statement: str, seconds: int = 15) -> Iterator[None]:
    """A session that holds a lock for so long."""
    session = threading.Thread(target=stack.sql, args=(f"BEGIN; {statement}; SELECT pg_sleep({seconds})",))
    session.start()
    held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'load'::regclass"
    eventually(lambda: stack.sql(held) == "1", 10, "the lock is held")
    try:
        yield
    finally:
        session.join()
