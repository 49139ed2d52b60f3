"""Scheduled work whose time passed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.health.archiving import ArchiveUse
from stackctl.operations.backup_health import judge_schedule
from stackctl.operations.backups.schedule import late
from stackctl.settings.schedule import Job

# Due at two; the work has three hours.
TWO = datetime(2026, 3, 31, 2, tzinfo=UTC)
DAILY = "0 2 * * *"


def backup(kind, finished, **more):
    return Backup("000001", kind, "native", finished, finished, 1, 17, "7", "", **more)


def names(job, backups, now):
    return [each.name for each in late([Job(job, DAILY)], backups, now)]


@pytest.mark.parametrize(("hours", "expected"), [(2.9, []), (3.1, ["full"]), (23.9, ["full"]), (24.1, ["full"])])
def test_a_full_backup_that_nobody_took(hours, expected):
    yesterday = backup(Kind.FULL, TWO - timedelta(hours=20))
    # A day later the next one is due, and the one that was missed is still missing.
    assert names("full", [yesterday], TWO + timedelta(hours=hours)) == expected


def test_what_nobody_ever_did_counts_from_the_first_backup_on():
    dump = backup(Kind.LOGICAL, TWO - timedelta(hours=1))
    assert names("full", [dump], TWO + timedelta(hours=2.9)) == []
    assert names("full", [dump], TWO + timedelta(hours=3.1)) == ["full"]
    late_dump = backup(Kind.LOGICAL, TWO + timedelta(hours=1))
    assert names("full", [late_dump], TWO + timedelta(hours=3.1)) == []


def test_one_that_was_taken():
    now = TWO + timedelta(hours=10)
    assert names("full", [backup(Kind.FULL, TWO + timedelta(minutes=5))], now) == []
    old = backup(Kind.FULL, TWO - timedelta(days=3))
    assert names("full", [old, backup(Kind.FULL, TWO + timedelta(minutes=5), status=Status.DAMAGED)], now) == ["full"]
    assert names("full", [old, backup(Kind.INCREMENTAL, TWO + timedelta(minutes=5))], now) == ["full"]
    assert names("incremental", [backup(Kind.FULL, TWO + timedelta(minutes=5))], now) == []


def test_a_drill_of_any_backup_will_do():
    now, done = TWO + timedelta(hours=10), TWO + timedelta(hours=1)
    old = backup(Kind.FULL, TWO - timedelta(days=3))
    assert names("drill", [old], now) == ["drill"]
    assert names("drill", [old, backup(Kind.FULL, done, drilled_at=done)], now) == []


def test_verification_is_of_all_backups():
    now, done = TWO + timedelta(hours=10), TWO + timedelta(hours=1)
    # Each is verified when it is taken: the newest says nothing of the others.
    old = TWO - timedelta(days=3)
    taken = backup(Kind.FULL, done, verified_at=done)
    assert names("verify", [backup(Kind.FULL, old, verified_at=old), taken], now) == ["verify"]
    assert names("verify", [backup(Kind.FULL, old, verified_at=done), taken], now) == []


def test_what_is_dated_in_the_future_is_not_there():
    now, year = TWO + timedelta(hours=10), timedelta(days=365)
    old = backup(Kind.FULL, TWO - timedelta(days=3))
    assert names("full", [old, backup(Kind.FULL, now + year)], now) == ["full"]
    # What two clocks differ by is no future.
    assert names("full", [old, backup(Kind.FULL, now + timedelta(minutes=5))], now) == []
    assert names("full", [backup(Kind.FULL, now + year)], now) == []
    for job in ("verify", "drill"):
        done = {"verify": "verified_at", "drill": "drilled_at"}[job]
        assert names(job, [replace(old, **{done: now + year})], now) == [job]


def test_what_leaves_no_trace_is_never_late():
    assert names("expire", [], TWO + timedelta(hours=10)) == []


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "backups")
    made.create()
    return made


def put(repository, system, finished):
    identifier, folder = repository.begin(Kind.FULL, finished)
    (folder / "data").mkdir()
    repository.finish(folder, replace(backup(Kind.FULL, finished), id=identifier, system=system))


def test_health_warns_of_what_is_late(tmp_path, repository):
    put(repository, "7", datetime.now(UTC) - timedelta(days=40))
    (tmp_path / "stackctl.yaml").write_text("backup: {schedule: {drill: 0 5 1 * *, expire: 0 5 * * *}}\n")
    (check,) = judge_schedule(tmp_path, repository, None)
    assert (check.id, check.status, check.evidence) == ("backup_schedule", "warn", "not done when it was due: drill")
    (tmp_path / "stackctl.yaml").write_text("backup: {schedule: {full: 15 2 * * *, drill: 0 5 1 * *}}\n")
    (check,) = judge_schedule(tmp_path, repository, None)
    assert (check.status, check.evidence) == ("fail", "not done when it was due: full, drill"), "cron must hear of it"
    (tmp_path / "stackctl.yaml").write_text("backup: {schedule: {expire: 0 5 * * *}}\n")
    (check,) = judge_schedule(tmp_path, repository, None)
    assert check.status == "ok"
    (tmp_path / "stackctl.yaml").write_text("backup: {redundancy: 3}\n")
    assert judge_schedule(tmp_path, repository, None) == ()


def test_what_another_project_did_in_the_same_repository_is_none_of_ours(tmp_path, repository):
    now = datetime.now(UTC)
    put(repository, "7", now - timedelta(days=40))
    put(repository, "8", now)
    (tmp_path / "stackctl.yaml").write_text("backup: {schedule: {full: 15 2 * * *}}\n")

    def verdict(system):
        use = ArchiveUse("on", 0, None, None, 0, None, None, 0, system, "0/8000000")
        return judge_schedule(tmp_path, repository, use)[0].evidence

    assert (verdict("7"), verdict("8")) == ("not done when it was due: full", "all that was due is done")
