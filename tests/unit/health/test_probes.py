"""Facts as they are collected from an engine."""

from pathlib import Path

from stackctl.engine.base import ServiceState
from stackctl.errors import Unhealthy
from stackctl.health import probes
from stackctl.health.probes import collect


class FakeEngine:
    """Answers queries by what they read from, as a server would."""

    def __init__(self, answers, place):
        self.answers = answers
        self.place = place

    def data_place(self):
        return self.place

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
            "idle": None,
            "oldest": 700,
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
    facts = collect(FakeEngine(ANSWERS, tmp_path))
    assert facts.services == {"app": "healthy", "postgres": "starting", "exporter": "exited"}
    assert (facts.connections, facts.max_connections, facts.app_connections, facts.app_limit) == (12, 200, 3, 100)
    assert (facts.longest_query_seconds, facts.longest_idle_transaction_seconds) == (1.5, None)
    assert (facts.dead_tuples, facts.oldest_transaction_age) == ([("tools", 5, 10)], 700)
    assert list(facts.running.altered) == ["work_mem"]
    assert [name for name, setting in facts.running.settings.items() if setting.pending] == ["shared_buffers"]
    assert [(line.name, line.number) for line in facts.refused] == [("jit", 9)]
    assert 0 < facts.disk_free <= facts.disk_total


def test_a_server_that_does_not_answer_leaves_its_facts_out(tmp_path):
    facts = collect(FakeEngine(None, tmp_path))
    assert facts.connections is None
    assert facts.services["app"] == "healthy"
    assert facts.disk_total > 0


def test_the_disk_is_the_one_that_the_engine_keeps_the_data_on(monkeypatch):
    asked = []
    monkeypatch.setattr(probes, "free_disk", lambda place: asked.append(place) or 30)
    monkeypatch.setattr(probes, "total_disk", lambda place: asked.append(place) or 40)
    facts = collect(FakeEngine(ANSWERS, Path("/srv/docker")))
    assert (facts.disk_free, facts.disk_total, set(asked)) == (30, 40, {Path("/srv/docker")})


def test_a_role_that_is_not_there_yet_has_no_limit(tmp_path):
    first = {**ANSWERS[("pg_stat_activity", "postgres")][0], "app_limit": None}
    answers = {**ANSWERS, ("pg_stat_activity", "postgres"): [first]}
    assert collect(FakeEngine(answers, tmp_path)).app_limit == 0
