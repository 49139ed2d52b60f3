"""A switch to other data that an engine or a disk lets down, with an engine that fails as told."""

from types import SimpleNamespace

import pytest

from stackctl.backup.generation import Generations
from stackctl.errors import ProfileError
from stackctl.operations.restoring import switch
from stackctl.operations.state import State, load, save
from stackctl.render.model import File
from stackctl.render.write import write

STATE = State("shop", "embedded", "asked for", "", {"embedded": 18}, sets=[])
TO = Generations().begun().restored(before=True)
OLD = File("postgresql.conf", b"old\n")


class FailingEngine:
    """Its first `failures` starts end with an error that is no StackError."""

    def __init__(self, failures):
        self.failures, self.asked = failures, []

    def running(self):
        return True

    def stop(self, note):
        self.asked.append("stop")

    def deployment(self, wanted):
        return SimpleNamespace(services=tuple(wanted))

    def start(self, deployment, changed, timeout, note):
        self.asked.append("start")
        if self.failures:
            self.failures -= 1
            raise OSError("no space left on the device of the home")


def prepared(folder, engine):
    keys = folder / "repository"
    project = SimpleNamespace(rendered=folder / "rendered", private=folder, pgbackrest=None, repository_keys=keys)
    return SimpleNamespace(
        opened=SimpleNamespace(project=project),
        engine=engine,
        state=STATE,
        deployment=SimpleNamespace(services=("postgres",)),
        files=lambda: (File(OLD.path, b"new\n"),),
    )


@pytest.fixture
def switching(tmp_path, monkeypatch):
    save(tmp_path, STATE)
    write(tmp_path / "rendered", [OLD])

    def begin(engine):
        stack = prepared(tmp_path, engine)
        monkeypatch.setattr(switch, "prepare", lambda request, runner: stack)
        monkeypatch.setattr(switch, "recorded_engine", lambda opened, runner: engine)
        switch.switch(None, None, stack, TO, 60, print)

    return begin


def back(folder):
    return (load(folder), (folder / "rendered" / OLD.path).read_bytes(), (folder / "applying").exists())


def test_any_failure_goes_back(switching, tmp_path):
    engine = FailingEngine(1)
    with pytest.raises(OSError, match="no space left"):
        switching(engine)
    assert engine.asked == ["stop", "start", "stop", "start"]
    assert back(tmp_path) == (STATE, b"old\n", False)


def test_what_fails_on_the_way_back_leaves_the_mark_and_the_first_error(switching, tmp_path):
    engine = FailingEngine(2)
    with pytest.raises(OSError, match="no space left"):
        switching(engine)
    assert back(tmp_path) == (STATE, b"old\n", True)


def test_where_nothing_can_be_written_the_old_stack_starts_again(switching, tmp_path):
    """As on a full disk: a folder is in the way of the new state."""
    engine = FailingEngine(0)
    (tmp_path / ".state.json.new").mkdir()
    with pytest.raises(ProfileError, match=r"state\.json"):
        switching(engine)
    assert engine.asked == ["stop", "stop", "start"]
    assert back(tmp_path) == (STATE, b"old\n", False)
