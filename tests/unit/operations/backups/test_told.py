"""What is told of a project's backups beside those of another project, and where a clock was wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind
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


def test_where_it_has_none_it_is_told_how_to_get_lost_data_back(tmp_path, repository):
    put(repository, "8", timedelta(0))
    found = told(status.status_command, tmp_path)
    assert (found["backups"], found["newest"], found["age_seconds"]) == (0, None, None)
    assert found["advice"][0] == (
        "stackctl backup: no good one is of the data that is here now; "
        "if it took the place of data that was lost: stackctl restore --cluster 8"
    )
