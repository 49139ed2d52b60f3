"""Of which cluster `backup expire` takes the stack's data to be."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Repository
from stackctl.errors import EngineFailed, NoEngine, Unhealthy
from stackctl.operations.backups.expire import expire_command, own_cluster
from stopped_stack import Stopped, stopped

RECORDED = SimpleNamespace(state=SimpleNamespace(generations=SimpleNamespace(current=2)))


class Engine:
    """One whose server answers, or whose data is at its place; or neither, as in the scheduler's container."""

    def __init__(self, answer=None, data=None):
        self.answer, self.data = answer, data

    def running(self):
        return True

    def query(self, _sql):
        if self.answer is None:
            raise EngineFailed("no answer", hint="")
        return [{"system": self.answer}]

    def places(self):
        if self.data is None:
            raise NoEngine("not from here", hint="")
        return SimpleNamespace(there=lambda number: number == 2, system=lambda _number: self.data)


@pytest.mark.parametrize(
    ("engine", "own"), [(Engine(answer="7", data="8"), "7"), (Engine(data="7"), "7"), (Engine(), None)]
)
def test_its_own_cluster_is_that_of_the_server_or_else_of_its_files(engine, own):
    assert own_cluster(SimpleNamespace(recorded=RECORDED, engine=engine)) == own


def test_nobody_knows_it_of_a_stack_without_a_record():
    assert own_cluster(SimpleNamespace(recorded=SimpleNamespace(state=None), engine=Engine(answer="7"))) is None


@pytest.fixture
def shared(tmp_path):
    """A repository with three backups of each of two clusters, long past any window."""
    made = Repository(tmp_path / "repository")
    made.create()
    for days in (90, 80, 70):
        for system in ("7", "8"):
            at = datetime.now(UTC) - timedelta(days=days)
            identifier, folder = made.begin(Kind.FULL, at)
            made.finish(folder, Backup(identifier, Kind.FULL, "native", at, at, 0, 17, system, ""))
    return made


def left(repository):
    return [backup.system for backup in repository.backups()]


def test_who_does_not_know_its_own_cluster_deletes_nothing(tmp_path, monkeypatch, shared):
    """Two projects may share a repository, and each has a policy of its own."""
    request = stopped(tmp_path, shared.root, monkeypatch)
    with pytest.raises(Unhealthy, match="nothing was deleted") as refused:
        expire_command(request, None, print, apply=True)
    assert ("--cluster" in refused.value.hint, "7, 8" in refused.value.hint) == (True, True)
    shown = expire_command(request, None, print, apply=False)
    assert ([each.code for each in shown.warnings], len(shown.data["expired"])) == (["unknown_cluster"], 2)
    assert left(shared) == ["7", "8"] * 3
    assert expire_command(request, None, print, apply=True, cluster="8").exit_code == 0
    assert left(shared) == ["7", "7", "8", "7", "8"]


def test_a_stopped_stack_knows_its_cluster_by_its_files(tmp_path, monkeypatch, shared):
    request = stopped(tmp_path, shared.root, monkeypatch)
    data = SimpleNamespace(there=lambda _number: True, system=lambda _number: "7")
    monkeypatch.setattr(Stopped, "places", lambda _self: data)
    assert expire_command(request, None, print, apply=True).warnings == ()
    assert left(shared) == ["8", "7", "8", "7", "8"]
