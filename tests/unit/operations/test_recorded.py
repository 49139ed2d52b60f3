"""Commands on a stack that was brought up, against an engine that answers as told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.engine.base import ServiceState
from stackctl.errors import EngineFailed, Locked, ProfileError, Unhealthy, UsageError
from stackctl.health.model import Facts
from stackctl.health.running import FileLine, Running, Setting
from stackctl.operations import down, health, logs, status
from stackctl.operations.changes import Changes
from stackctl.operations.lock import locked
from stackctl.operations.result import Request
from stackctl.operations.state import State, load, save

STATE = State("shop", "docker", "asked for", "public", {"docker": 18})
BROKEN = {"STACKCTL_RAM": "16X"}


class FakeEngine:
    """A stack of two services; remembers what it was asked."""

    name = "docker"

    def __init__(self, rows=None, lines=(), new=()):
        self.rows, self.lines, self.new = rows, list(lines), list(new)
        self.asked = []

    def repository(self):
        return Path("/nowhere/backups")

    def services(self):
        return (ServiceState("app", "running", "healthy"), ServiceState("postgres", "running", "healthy"))

    def running(self):
        return True

    def query(self, sql, database="postgres"):
        self.asked.append(sql)
        if self.rows is None:
            raise Unhealthy("no answer", hint="")
        return self.rows

    def stop(self, note):
        self.asked.append("stop")

    def destroy(self, note):
        self.asked.append("destroy")

    def logs(self, service, tail):
        self.asked.append(("logs", service, tail))
        yield from self.lines[-tail:]

    def follow(self, service, tail):
        self.asked.append(("follow", service, tail))
        yield from [*self.lines[len(self.lines) - tail :], *self.new]


@pytest.fixture
def brought_up(tmp_path, monkeypatch):
    """Give a fake engine to every command; gives back a function that makes a request for the project."""
    (tmp_path / ".stackctl").mkdir()
    save(tmp_path / ".stackctl", replace(STATE, folder=str(tmp_path)))

    def give(engine):
        for module in (down, health, logs, status):
            monkeypatch.setattr(module, "recorded_engine", lambda opened, runner: engine)
        return Request(str(tmp_path), environ=BROKEN)

    return give


def _down(request, **options):
    given = {"destroy": False, "confirmed": lambda name: None, **options}
    return down.down_command(request, None, lambda text: None, **given)


def _logs(request, service=None, **options):
    shown = []
    given = {"slow": False, "tail": 2, "follow": False, **options}
    return logs.logs_command(request, None, service, shown.append, **given), shown


def test_down_works_under_broken_settings_and_warns(brought_up, tmp_path):
    engine = FakeEngine()
    result = _down(brought_up(engine), destroy=True, confirmed=lambda name: name)
    assert (result.data["name"], result.data["stopped"], result.data["data_destroyed"]) == ("shop", True, True)
    assert engine.asked == ["stop", "destroy"]
    assert [warning.code for warning in result.warnings] == ["bad_value"]
    assert load(tmp_path / ".stackctl") is None


def test_down_under_another_name_is_down_under_the_old_one(brought_up, tmp_path):
    request = brought_up(FakeEngine())
    (tmp_path / "stackctl.yaml").write_text("name: store\n")
    assert _down(replace(request, environ={})).data["name"] == "shop"


def test_down_waits_for_no_other_run(brought_up, tmp_path):
    engine = FakeEngine()
    request = brought_up(engine)
    # A first up has made the folder and not yet written what it will remember.
    (tmp_path / ".stackctl/state.json").unlink()
    with locked(tmp_path / ".stackctl", "up"), pytest.raises(Locked) as caught:
        _down(request)
    assert (caught.value.exit_code, engine.asked) == (44, [])
    assert _down(request).data["stopped"] is False


def test_down_in_a_copy_touches_nothing(brought_up, tmp_path):
    engine = FakeEngine()
    brought_up(engine)
    copy = tmp_path / "copy"
    (copy / ".stackctl").mkdir(parents=True)
    (copy / ".stackctl/state.json").write_bytes((tmp_path / ".stackctl/state.json").read_bytes())
    with pytest.raises(ProfileError, match="is a copy of"):
        _down(Request(str(copy)), destroy=True, confirmed=lambda name: name)
    assert engine.asked == []


def test_down_of_what_an_earlier_version_brought_up(brought_up, tmp_path):
    engine = FakeEngine()
    request = brought_up(engine)
    (tmp_path / ".stackctl/state.json").write_text(json.dumps({"name": "shop", "engine": "docker", "colour": "red"}))
    assert _down(request).data["stopped"] is True


def test_status_asks_the_server_once(brought_up):
    line = {"name": "jit", "value": "on", "error": None, "file": "/data/postgresql.auto.conf", "line": 3}
    names = {"server_version": "18.1", "jit": "on", "shared_buffers": "16384"}
    settings = [
        {"name": name, "value": value, "source": "default", "pending": name == "shared_buffers", "restart": False}
        for name, value in names.items()
    ]
    engine = FakeEngine([{"lines": [line], "settings": settings, "roles": None}])
    result = status.status_command(brought_up(engine), None)
    assert (result.data["postgres"], len(engine.asked)) == ("18.1", 1)
    assert result.data["drift"] == {"alter_system": ["jit"], "pending_restart": ["shared_buffers"]}
    assert [warning.code for warning in result.warnings] == ["bad_value"]


def test_status_of_a_server_that_hangs_asks_it_once(brought_up):
    engine = FakeEngine()
    result = status.status_command(brought_up(engine), None)
    assert (result.data["postgres"], len(engine.asked)) == ("", 1)
    assert [each["name"] for each in result.data["services"]] == ["app", "postgres"]


@pytest.mark.parametrize(
    ("found", "check"),
    [
        (Changes([], [], [], running=True), ("ok", "none")),
        (EngineFailed("the registry does not answer", hint=""), ("skip", "not compared: the registry does not answer")),
    ],
)
def test_drift_that_could_not_be_compared_is_no_verdict(brought_up, monkeypatch, found, check):
    request = brought_up(FakeEngine())

    def prepare(request, runner):
        if isinstance(found, Exception):
            raise found

    monkeypatch.setattr(health, "prepare", prepare)
    monkeypatch.setattr(health, "find_changes", lambda prepared, running: found)
    facts = Facts({"app": "healthy"}, connections=1, max_connections=9)
    monkeypatch.setattr(health, "collect", lambda engine, port: facts)
    result = health.health_command(request, None)
    drift = next(each for each in result.data["checks"] if each["id"] == "drift")
    assert (drift["status"], drift["evidence"]) == check
    assert [warning.code for warning in result.warnings] == ["bad_value"]


def test_alter_system_is_told_also_where_the_settings_are_wrong_by_now(brought_up, monkeypatch):
    """Compared with the lines that were rendered last."""
    running = Running(
        settings={"work_mem": Setting("work_mem", "1048576", "configuration file")},
        written={"work_mem": FileLine("work_mem", "32MB", "postgresql.conf")},
        altered={"work_mem": FileLine("work_mem", "1GB", "postgresql.auto.conf")},
    )
    facts = Facts({"app": "healthy"}, connections=1, max_connections=9, running=running)
    monkeypatch.setattr(health, "collect", lambda engine, port: facts)
    result = health.health_command(brought_up(FakeEngine()), None)
    checks = {each["id"]: each for each in result.data["checks"]}
    assert checks["alter_system"]["evidence"] == "work_mem = 1GB (wanted 32MB)"
    assert [checks[name]["status"] for name in ("alter_system", "memory_proof", "drift")] == ["warn", "warn", "skip"]


def test_health_of_a_server_that_does_not_answer_compares_nothing(brought_up, monkeypatch):
    request = brought_up(FakeEngine())
    monkeypatch.setattr(health, "collect", lambda engine, port: Facts({"app": "healthy"}))
    monkeypatch.setattr(health, "prepare", lambda request, runner: pytest.fail("asked again"))
    assert health.health_command(request, None).exit_code == 30


SLOW = "duration: 1500.1 ms  statement: SELECT 1"


def test_logs_shows_the_last_lines(brought_up):
    result, shown = _logs(brought_up(FakeEngine(lines="abc")))
    assert (result.data["lines"], shown) == (["b", "c"], [])


def test_logs_followed_begins_with_as_many_lines_as_asked(brought_up):
    engine = FakeEngine(lines="abc", new="de")
    assert _logs(brought_up(engine), "app", follow=True)[1] == ["b", "c", "d", "e"]
    assert engine.asked == [("follow", "app", 2)]


def test_slow_statements_can_be_followed(brought_up):
    engine = FakeEngine(lines=[SLOW + "0", "x", SLOW, "y", SLOW + "2", "z"], new=["other", SLOW + "3"])
    assert _logs(brought_up(engine), follow=True, slow=True)[1] == [SLOW, SLOW + "2", SLOW + "3"]
    assert engine.asked == [("logs", "postgres", 10_000), ("follow", "postgres", 0)]


def test_the_migration_has_a_log_on_docker_only(brought_up):
    engine = FakeEngine(lines="abc")
    assert _logs(brought_up(engine), "migrate")[0].data["service"] == "migrate"
    engine.name = "embedded"
    with pytest.raises(UsageError) as caught:
        _logs(brought_up(engine), "migrate")
    assert caught.value.hint == "one of app, postgres"


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        (True, "one of app, migrate, postgres"),
        (
            False,
            "one of alertmanager, app, exporter, grafana, migrate, observer, pgbouncer, postgres, prometheus, "
            "receiver, scheduler",
        ),
    ],
)
def test_logs_of_an_unknown_service(brought_up, monkeypatch, there, hint):
    engine = FakeEngine()
    if not there:
        monkeypatch.setattr(engine, "services", lambda: ())
    with pytest.raises(UsageError, match="no service 'nothere'") as caught:
        _logs(brought_up(engine), "nothere")
    assert (caught.value.exit_code, caught.value.hint) == (2, hint)
