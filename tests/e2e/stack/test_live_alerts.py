"""Alerts of a running stack: caused for real, seen at a webhook behind Alertmanager, and seen to be over.

Rules are evaluated more often than in production, and wait shorter before they fire. Their expressions are as shipped.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from alert_receivers import WebReceiver, web_receiver
from broken_archive import folder, unreachable
from http_load import Load, get
from running_stack import Stack, docker, eventually

# The longest: a look at the backups each minute, and a person's idle transaction counts after two.
FIRES_SECONDS = 240
# Two looks at the backups, and eight evaluations of what waits for nothing longer.
QUIET_SECONDS = 45
# An increase over five minutes is over five minutes later.
OVER_SECONDS = 420
FASTER = {
    "prometheus/prometheus.yml": {r"(scrape|evaluation)_interval: \w+": r"\1_interval: 5s"},
    "prometheus/rules/*.yml": {r"(?m)^( +)(for|keep_firing_for): \w+$": r"\1\2: 5s"},
    "alertmanager/alertmanager.yml": {"group_wait: 30s": "group_wait: 1s", "group_interval: 5m": "group_interval: 5s"},
}
KEPT = ("WalArchiveFailing", "WalArchiveBacklog", "BackupFailed", "SettingsDrift", "ReplicationSlotLag", "TableBloat")
SESSIONS = ("IdleInTransaction", "ConnectionsHigh", "SlowStatement")
REQUESTS = ("PoolSaturation", "QueryLatencyHigh", "HttpErrorBudgetBurn")
# One after the other: what is asked through a service that is away is held back.
SERVICES = (
    (("AppDown", "ScrapeFailing"), ("app", "observer")),
    (("PostgresExporterDown",), ("exporter",)),
    (("PostgresDown",), ("postgres",)),
)


@dataclass
class Watched:
    """A stack, the receiver of its alerts, and which of them were caused and undone."""

    stack: Stack
    web: WebReceiver

    @contextmanager
    def fires(self, *names: str) -> Iterator[None]:
        """At the end of the block, which causes them, they arrive."""
        assert not set(names) & set(self.web.names()), "it was silent before"
        yield
        try:
            eventually(lambda: set(names) <= set(self.web.names()), FIRES_SECONDS, "they arrive")
        except AssertionError:
            assert sorted(set(names) - set(self.web.names())) == [], "these did not arrive"

    def is_over(self, *names: str) -> None:
        try:
            eventually(lambda: set(names) <= set(self.web.names("resolved")), OVER_SECONDS, "they are over")
        except AssertionError:
            assert sorted(set(names) - set(self.web.names("resolved"))) == [], "these are not over"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[Watched]:
    """A stack with a backup, whose rules and scrapes are faster."""
    stack = Stack(tmp_path_factory.mktemp("live-alerts"), "docker")
    stack.write()
    try:
        stack.up()
        gateway = "{{(index .IPAM.Config 0).Gateway}}"
        address = docker("network", "inspect", "--format", gateway, f"{stack.name}_services").out.strip()
        with web_receiver(address) as web:
            (stack.folder / "hook.url").write_text(f"http://{address}:{web.port}/\n")
            everything = {"kind": "webhook", "url_file": "hook.url", "severities": ["critical", "warning", "info"]}
            stack.write(alerts={"receivers": {"ops": everything}})
            stack.up()
            hurry(stack)
            stack.sql("CREATE TABLE faults (n int)")
            assert stack.run("backup").code == 0
            yield Watched(stack, web)
    finally:
        stack.remove()


def hurry(stack: Stack) -> None:
    """Let the running programs read the shipped files with shorter times."""
    for pattern, changes in FASTER.items():
        for path in stack.rendered.glob(pattern):
            text = path.read_text()
            for old, new in changes.items():
                text = re.sub(old, new, text)
            path.write_text(text)
    for service in ("alertmanager", "prometheus"):
        assert docker("exec", stack.container(service), "sh", "-c", "kill -s HUP 1").code == 0

    def read() -> bool:
        groups = stack.get("prometheus", "/api/v1/rules").json()["data"]["groups"]
        return {group["interval"] for group in groups} == {5}

    eventually(read, 30, "Prometheus read them")


@contextmanager
def session(stack: Stack, text: str) -> Iterator[None]:
    """One that has sent `text` and goes on to wait for more."""
    words = ["docker", "exec", "-i", stack.container("postgres"), "psql", "-qAtX", "-U", "postgres", "app"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{text};\n\\echo done\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(30)


@contextmanager
def sleepers(stack: Stack, count: int) -> Iterator[None]:
    """So many sessions with a statement that goes on."""
    one = "psql -qAtX -U postgres -c 'SELECT pg_sleep(600)' app >/dev/null 2>&1 &"
    many = f"for i in $(seq {count}); do {one} done; wait"
    assert docker("exec", "--detach", stack.container("postgres"), "sh", "-c", many).code == 0
    try:
        yield
    finally:
        stack.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")


@contextmanager
def stopped(stack: Stack, service: str) -> Iterator[None]:
    assert docker("stop", stack.container(service)).code == 0
    try:
        yield
    finally:
        assert docker("start", stack.container(service)).code == 0


@contextmanager
def changed_byte(stack: Stack) -> Iterator[None]:
    """In a file of the backup, and a look at it."""
    taken = Path(stack.run("backup", "list", "--json").data["backups"][-1]["path"])
    file = max((path for path in taken.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    good = file.read_bytes()
    file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    assert stack.run("backup", "verify").code == 41
    try:
        yield
    finally:
        file.write_bytes(good)
        assert stack.run("backup", "verify").code == 0


@contextmanager
def changed_settings(stack: Stack) -> Iterator[None]:
    """By hand: one that the memory proof does not know, and one that lets a slot lag only by 64 MB."""
    for statement in ("ALTER SYSTEM SET work_mem = '4GB'", "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'"):
        stack.sql(statement, "postgres")
    stack.sql("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        stack.sql("ALTER SYSTEM RESET ALL", "postgres")
        stack.sql("SELECT pg_reload_conf()")


@contextmanager
def forgotten_slot(stack: Stack) -> Iterator[None]:
    stack.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
    try:
        yield
    finally:
        stack.sql("SELECT pg_drop_replication_slot('forgotten')")


@contextmanager
def dead_rows(stack: Stack) -> Iterator[None]:
    stack.sql("CREATE TABLE bloated WITH (autovacuum_enabled = off) AS SELECT g FROM generate_series(1, 40000) g")
    stack.sql("DELETE FROM bloated WHERE g % 2 = 0")
    try:
        yield
    finally:
        stack.sql("VACUUM ANALYZE bloated")


def firing(stack: Stack) -> list[str]:
    alerts = stack.get("prometheus", "/api/v1/alerts").json()["data"]["alerts"]
    return sorted(alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing")


def write_wal(stack: Stack, files: int) -> None:
    for _ in range(files):
        stack.sql("INSERT INTO faults VALUES (1); SELECT pg_switch_wal()")


def test_a_stack_that_is_well_says_nothing(watched: Watched) -> None:
    """Also no branch that nobody thought of: with a wait of five seconds each would be seen here."""
    eventually(lambda: not firing(watched.stack), 120, "what the start brought about is over")
    time.sleep(QUIET_SECONDS)
    assert firing(watched.stack) == []


def test_each_fires_and_is_over(watched: Watched) -> None:
    stack, archive = watched.stack, folder(watched.stack)
    with ExitStack() as causes, watched.fires(*KEPT):
        causes.enter_context(changed_byte(stack))
        causes.enter_context(changed_settings(stack))
        causes.enter_context(forgotten_slot(stack))
        causes.enter_context(dead_rows(stack))
        causes.enter_context(unreachable(archive))
        write_wal(stack, 6)
    assert {("BackupFailed", "critical"), ("SettingsDrift", "warning")} <= watched.web.severities()
    sleeping = int(int(stack.sql("SHOW max_connections")) * 0.45)
    with ExitStack() as causes, watched.fires(*SESSIONS, *REQUESTS):
        causes.enter_context(session(stack, "BEGIN; LOCK TABLE tools IN ACCESS EXCLUSIVE MODE"))
        causes.enter_context(sleepers(stack, sleeping))
        causes.enter_context(Load(stack.ports["app"], get("/tools?limit=50"), clients=60))
    # What is quick and right again makes up for what was slow and wrong.
    with Load(stack.ports["app"], get("/tools?limit=50"), clients=8):
        watched.is_over(*KEPT, *SESSIONS, *REQUESTS)
    for names, services in SERVICES:
        # While much was caused at once, a scrape may have failed for a moment; that is long over.
        watched.web.posted.clear()
        with ExitStack() as causes, watched.fires(*names):
            for service in services:
                causes.enter_context(stopped(stack, service))
        watched.is_over(*names)
