"""What is told of a project's backups beside those of another project, and where a clock was wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.operations import backup
from stackctl.operations.backups import schedule, status
from stackctl.operations.result import Request
from stackctl.operations.state import State, save

NOW = datetime.now(UTC)
SCHEDULE = "backup: {schedule: {full: 15 2 * * *}}\n"


class Engine:
    """Runs cluster 7, beside backups below `folder`."""

    name = "embedded"

    def __init__(self, folder):
        self.folder = folder

    def repository(self):
        return self.folder

    def data_place(self):
        return self.folder

    def running(self):
        return True

    def services(self):
        return ()

    def query(self, _sql):
        return [{"system": "7"}]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / ".stackctl").mkdir()
    (tmp_path / "stackctl.yaml").write_text(SCHEDULE)
    save(tmp_path / ".stackctl", replace(State("shop", "embedded", "asked for", "", {}), folder=str(tmp_path)))
    made = Repository(tmp_path / "backups")
    made.create()
    monkeypatch.setattr(backup, "recorded_engine", lambda _opened, _runner: Engine(made.root))
    return made


def put(repository, system, age):
    at = NOW - age
    identifier, folder = repository.begin(Kind.FULL, at)
    (folder / "data").mkdir()
    return repository.finish(folder, Backup(identifier, Kind.FULL, "native", at, at, 0, 17, system, "", 1))


def told(command, tmp_path):
    return command(Request(str(tmp_path), environ={}), None).data


def test_the_age_and_what_to_do_are_those_of_its_own(tmp_path, repository):
    mine = put(repository, "7", timedelta(days=20))
    put(repository, "8", timedelta(0))
    found = told(status.status_command, tmp_path)
    assert (found["backups"], found["of_others"], found["newest"]) == (1, 1, mine.id)
    assert timedelta(days=20).total_seconds() <= found["age_seconds"] < timedelta(days=21).total_seconds()
    assert "stackctl backup: the newest is older than a day" in found["advice"]
    (job,) = told(schedule.schedule_command, tmp_path)["jobs"]
    assert (job["state"], job["done_at"]) == ("late", mine.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_one_that_is_dated_in_the_future_is_not_the_newest(tmp_path, repository):
    mine = put(repository, "7", timedelta(days=20))
    wrong = put(repository, "7", timedelta(days=-20))
    found = told(status.status_command, tmp_path)
    assert (found["backups"], found["newest"]) == (2, mine.id)
    assert found["advice"][0] == (
        f"stackctl backup: {wrong.id} is dated in the future, and nobody knows how old it is; "
        "see first that the clock is right"
    )
    (job,) = told(schedule.schedule_command, tmp_path)["jobs"]
    assert (job["state"], job["done_at"]) == ("late", mine.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_what_is_built_on_a_damaged_one_is_not_the_newest_good_one(tmp_path, repository):
    base, step = put(repository, "7", timedelta(hours=3)), put(repository, "7", timedelta(hours=1))
    repository.update(replace(step, kind=Kind.INCREMENTAL, parent=base.id))
    assert told(status.status_command, tmp_path)["newest"] == step.id
    repository.update(replace(base, status=Status.DAMAGED))
    found = told(status.status_command, tmp_path)
    assert (found["newest"], found["advice"][0]) == (None, "stackctl backup: there is no good one")


def test_nobody_is_told_to_let_some_go_where_that_would_be_refused(tmp_path, repository, monkeypatch):
    for days in (90, 80, 70, 0):
        put(repository, "7", timedelta(days=days))

    def advised():
        advice = told(status.status_command, tmp_path)["advice"]
        return [line for line in advice if line.startswith("stackctl backup expire --apply: ")]

    assert len(advised()) == 1
    monkeypatch.setattr(Engine, "running", lambda _self: False)
    monkeypatch.setattr(Engine, "places", lambda _self: SimpleNamespace(there=lambda _number: False), raising=False)
    assert advised() == [], "nobody knows of which cluster the stack's data is"


def test_where_it_has_none_it_is_told_how_to_get_lost_data_back(tmp_path, repository):
    put(repository, "8", timedelta(0))
    found = told(status.status_command, tmp_path)
    assert (found["backups"], found["newest"], found["age_seconds"]) == (0, None, None)
    assert found["advice"][0] == (
        "stackctl backup: no good one is of the data that is here now; "
        "if it took the place of data that was lost: stackctl restore --cluster 8"
    )
