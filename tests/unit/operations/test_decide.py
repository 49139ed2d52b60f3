"""A copy that was accepted, or undone, is archived from then on, whatever cluster the repository knew."""

import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.engine.project import Project
from stackctl.engine.runner import Completed
from stackctl.operations.restoring import decide
from stackctl.operations.restoring.in_place import How
from stackctl.operations.state import State
from stackctl.settings.pgbackrest import PgBackRest, Remote

STATE = State("shop", "docker", "", "debian", {"docker": 17})
OLD, NEW = "7301234567890123456", "7401234567890123456"


class Engine:
    """Runs cluster OLD; its repository takes the WAL of NEW, as after a backup of that, or fails."""

    name = "docker"

    def __init__(self, *, runs=True, fails=False):
        self.runs, self.fails = runs, fails
        self.ran = []

    def repository(self):
        return Path("/nowhere")

    def running(self):
        return self.runs

    def query(self, _sql):
        return [{"system": OLD, "postgres": "17", "since": 1_800_000_000}]

    def beside(self, argv, timeout):
        self.ran.append(argv[-1])
        return Completed((), 1 if self.fails else 0, "", "ERROR: [050]: HostConnectError")

    def reload(self):
        self.ran.append("reload")

    @contextmanager
    def programs(self):
        yield self

    def with_repository(self):
        return self

    def run(self, _program, *words, **_how):
        if "info" in words:
            known = [{"id": 2, "system-id": int(NEW), "version": "17"}]
            return Completed((), 0, json.dumps([{"db": known, "backup": [], "repo": []}]), "")
        return Completed((), 0, "{}", "")


def decided(tmp_path, engine, chosen):
    project = Project("shop", tmp_path, None, chosen)
    project.private.mkdir()
    after = SimpleNamespace(opened=SimpleNamespace(project=project), engine=engine, state=STATE, warnings=())
    return decide._decided(after, How(None, print, lambda _: True, 60), "is kept")


def test_the_repository_takes_the_cluster_that_somebody_decided_for(tmp_path):
    engine = Engine()
    assert decided(tmp_path, engine, PgBackRest(Remote("s3", "shop", "/"))).warnings == ()
    assert engine.ran == ["stanza-upgrade", "reload"]


def test_where_it_cannot_the_result_says_that_nothing_is_archived(tmp_path):
    (warning,) = decided(tmp_path, Engine(fails=True), PgBackRest(Remote("s3", "shop", "/"))).warnings
    assert warning.code == "repository"
    assert warning.message.startswith("nothing is archived: ")


@pytest.mark.parametrize(("runs", "chosen"), [(False, PgBackRest()), (True, None)])
def test_a_stack_that_is_down_or_has_plain_files_has_nothing_to_make_ready(tmp_path, runs, chosen):
    engine = Engine(runs=runs)
    assert decided(tmp_path, engine, chosen).warnings == ()
    assert engine.ran == []
