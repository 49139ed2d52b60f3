"""Facts as they are collected from an engine."""

import threading
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from psycopg.rows import dict_row

from running_postgres import running_postgres, wait_until
from stackctl.engine.base import ServiceState
from stackctl.errors import Unhealthy
from stackctl.health import probes
from stackctl.health.pool import PoolUse
from stackctl.health.probes import ask_pool, collect

# Nothing listens there: connecting to port 0 is refused.
NOBODY = "http://127.0.0.1:0/metrics"


class FakeEngine:
    """Answers queries by what they read from, as a server would."""

    def __init__(self, answers, place):
        self.answers = answers
        self.place = place

    def data_place(self):
        return self.place

    def repository(self):
        return self.place / "backups"

    def ballast(self):
        return self

    def held(self):
        return 64

    def services(self):
        return (
            ServiceState("app", "running", "healthy"),
            ServiceState("postgres", "running", "starting"),
            ServiceState("exporter", "exited", "unhealthy"),
        )

    def query(self, sql, database="postgres"):
        if self.answers is None:
            raise Unhealthy("no answer", hint="")
        return next(rows for (table, name), rows in self.answers.items() if table in sql and name == database)


ANSWERS = {
    ("pg_stat_activity", "postgres"): [
        {
            "connections": 12,
            "app": 3,
            "max_connections": 200,
            "app_limit": 100,
            "longest": 1.5,
            "longest_by": "pid 7, role app",
            "idle": None,
            "idle_by": None,
            "oldest": 700,
            "damaged": {"app": 2},
        }
    ],
    ("pg_stat_archiver", "postgres"): [
        {
            "mode": "on",
            "archived": 3,
            "last": "000000010000000000000003",
            "seconds": 4.5,
            "failed": 1,
            "last_failed": "000000010000000000000002",
            "failed_seconds": 9.0,
            "waiting": 2,
            "system": "42",
            "position": "0/4000000",
        }
    ],
    ("pg_stat_progress_vacuum", "app"): [
        {
            "enabled": True,
            "workers": 1,
            "most": 3,
            "tables": [
                {"name": "public.t", "dead": 9, "threshold": 5, "seconds": 4.5, "ever": False, "enabled": True},
            ],
        }
    ],
    ("pg_stat_user_tables", "app"): [{"name": "tools", "dead": 5, "live": 10}],
    ("pg_settings", "postgres"): [
        {
            "lines": [
                {"name": "work_mem", "value": "5MB", "error": None, "file": "/d/postgresql.auto.conf", "line": 3},
                {"name": "jit", "value": "maybe", "error": "no", "file": "/etc/postgresql.conf", "line": 9},
            ],
            "settings": [
                {"name": name, "value": "1", "source": "default", "pending": pending, "restart": pending}
                for name, pending in (("work_mem", False), ("shared_buffers", True), ("jit", False))
            ],
            "roles": None,
        }
    ],
}


def test_facts_of_a_server_that_answers(tmp_path):
    facts = collect(FakeEngine(ANSWERS, tmp_path), NOBODY)
    assert facts.services == {"app": "healthy", "postgres": "starting", "exporter": "exited"}
    assert (facts.archive.waiting, facts.archive.failing, facts.archive.system) == (2, False, "42")
    assert (facts.connections, facts.max_connections, facts.app_connections, facts.app_limit) == (12, 200, 3, 100)
    assert (facts.longest_query_seconds, facts.longest_idle_transaction_seconds) == (1.5, None)
    assert (facts.longest_query_by, facts.idle_transaction_by) == ("pid 7, role app", "")
    assert (facts.vacuum.workers, facts.vacuum.most, facts.vacuum.overdue[0].name) == (1, 3, "public.t")
    assert (facts.dead_tuples, facts.oldest_transaction_age) == ([("tools", 5, 10)], 700)
    assert facts.damaged_pages == {"app": 2}
    assert list(facts.running.altered) == ["work_mem"]
    assert [name for name, setting in facts.running.settings.items() if setting.pending] == ["shared_buffers"]
    assert [(line.name, line.number) for line in facts.refused] == [("jit", 9)]
    assert 0 < facts.disk_free <= facts.disk_total


def test_a_server_that_does_not_answer_leaves_its_facts_out(tmp_path):
    facts = collect(FakeEngine(None, tmp_path), NOBODY)
    assert facts.connections is None
    assert facts.services["app"] == "healthy"
    assert facts.disk_total > 0


def test_the_disk_is_the_one_that_the_engine_keeps_the_data_on(monkeypatch):
    asked = []
    monkeypatch.setattr(probes, "free_disk", lambda place: asked.append(place) or 30)
    monkeypatch.setattr(probes, "total_disk", lambda place: asked.append(place) or 40)
    facts = collect(FakeEngine(ANSWERS, Path("/srv/docker")), NOBODY)
    assert (facts.disk_free, facts.disk_total, set(asked)) == (30, 40, {Path("/srv/docker")})


def test_a_role_that_is_not_there_yet_has_no_limit(tmp_path):
    first = {**ANSWERS[("pg_stat_activity", "postgres")][0], "app_limit": None}
    answers = {**ANSWERS, ("pg_stat_activity", "postgres"): [first]}
    assert collect(FakeEngine(answers, tmp_path), NOBODY).app_limit == 0


@contextmanager
def sessions(server, *wanted):
    """Sessions, each of a role and with what it was told last, without waiting for an answer."""
    with ExitStack() as opened:
        for role, first, then in wanted:
            session = psycopg.connect(
                host="127.0.0.1", port=server.port, user=role, password="secret", dbname="postgres", autocommit=True
            )
            opened.enter_context(closing(session))
            session.execute(first)
            session.pgconn.send_query(then)
        count = (
            "SELECT count(*) FROM pg_stat_activity WHERE usename IN ('app', 'backup', 'report') AND xact_start <= now()"
        )
        wait_until(lambda: server.execute(count) == [(len(wanted),)])
        yield
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'")


def activity(server):
    with server.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(probes._ACTIVITY).fetchone()


LONG = ("SELECT 1", b"SELECT pg_sleep(60)")
IDLE = ("BEGIN", b"SELECT 1")


def test_a_dump_or_a_report_that_takes_long_is_no_long_statement():
    """They are so by design; the alerts leave them out too."""
    with running_postgres() as server:
        server.execute("ALTER ROLE app PASSWORD 'secret'")
        for role in ("backup", "report"):
            server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        with sessions(server, ("backup", *LONG), ("report", *LONG), ("backup", *IDLE)):
            found = activity(server)
            assert (found["longest"], found["longest_by"]) == (None, None)
            assert (found["idle"], found["idle_by"]) == (None, None)
        with sessions(server, ("backup", *LONG), ("backup", *IDLE), ("app", *LONG), ("report", *IDLE)):
            found = activity(server)
            assert found["longest_by"].endswith("role app")
            assert found["idle_by"].endswith("role report")


@contextmanager
def metrics_server(body: bytes):
    """A server whose every answer is `body`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exposition(**gauges):
    """What a scrape of an app with these pools gives, written by Prometheus's own client."""
    registry = CollectorRegistry()
    for name, value in gauges.items():
        Gauge(f"app_db_pool_{name}", "A pool.", registry=registry).set(value)
    Counter("app_db_pool_timeouts", "Refused.", registry=registry).inc(7)
    return generate_latest(registry)


def test_the_pool_as_the_app_counts_it():
    with metrics_server(exposition(size=40, max_overflow=10, checked_out=43, idle=2, overflow=5)) as port:
        assert ask_pool(f"http://127.0.0.1:{port}/metrics") == PoolUse(
            size=40, max_overflow=10, checked_out=43, idle=2, timeouts=7
        )


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\xfe", exposition(size=40)], ids=["empty", "html", "no text", "one of its metrics"]
)
def test_an_app_that_does_not_tell_of_its_pool(body):
    """Somebody's own app may serve anything, or nothing, on that port."""
    with metrics_server(body) as port:
        assert ask_pool(f"http://127.0.0.1:{port}/metrics") is None
    assert ask_pool(NOBODY) is None
