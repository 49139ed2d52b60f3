"""Scheduled work whose time passed."""

from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind, Status
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


def test_a_full_backup_that_nobody_ever_took():
    assert names("full", [], TWO + timedelta(minutes=5)) == ["full"]


def test_one_that_was_taken():
    now = TWO + timedelta(hours=10)
    assert names("full", [backup(Kind.FULL, TWO + timedelta(minutes=5))], now) == []
    assert names("full", [backup(Kind.FULL, TWO + timedelta(minutes=5), status=Status.DAMAGED)], now) == ["full"]
    assert names("full", [backup(Kind.INCREMENTAL, TWO + timedelta(minutes=5))], now) == ["full"]
    assert names("incremental", [backup(Kind.FULL, TWO + timedelta(minutes=5))], now) == []


def test_proofs_are_judged_by_their_own_times():
    now, done = TWO + timedelta(hours=10), TWO + timedelta(hours=1)
    assert names("drill", [backup(Kind.FULL, done)], now) == ["drill"]
    assert names("drill", [backup(Kind.FULL, TWO - timedelta(days=3), drilled_at=done)], now) == []
    assert names("verify", [backup(Kind.FULL, TWO - timedelta(days=3), verified_at=done)], now) == []


def test_what_leaves_no_trace_is_never_late():
    assert names("expire", [], TWO + timedelta(hours=10)) == []
