"""What is due, and what waits."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.operations.scheduling.due import Failure, Known, ended_well, tasks
from stackctl.settings.schedule import jobs

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def backup(finished, kind=Kind.FULL, **more):
    return Backup("000001", kind, "native", finished - timedelta(minutes=5), finished, 1, 17, "7", "", **more)


def due(schedule, known, now=NOW):
    return [(task.name, task.words) for task in tasks(jobs(schedule), known, now)]


def names(schedule, known, now=NOW):
    return [name for name, _ in due(schedule, known, now)]


def test_a_missed_time_is_made_up_for_once():
    daily = {"full": "0 2 * * *"}
    assert names(daily, Known([backup(NOW - 5 * DAY)])) == ["full"]
    # Four times were missed; one backup is all it takes.
    assert names(daily, Known([backup(NOW - 5 * DAY), backup(NOW - HOUR)])) == []


def test_work_that_was_done_by_hand_counts():
    assert names({"full": "0 2 * * *"}, Known([backup(NOW - 10 * HOUR)])) == []
    assert names({"full": "0 2 * * *"}, Known([backup(NOW - 10.1 * HOUR)])) == ["full"]


def test_several_are_done_in_the_order_of_their_sense():
    schedule = {"drill": "0 5 1 * *", "expire": "0 4 * * *", "full": "0 2 * * 0", "verify": "0 3 * * *"}
    assert names(schedule, Known([backup(NOW - 40 * DAY)])) == ["full", "verify", "expire", "drill"]


def test_a_full_backup_is_as_good_as_an_incremental_one():
    schedule = {"full": "0 2 * * 0", "incremental": "0 2 * * 1-6"}
    assert names(schedule, Known([backup(NOW - 8 * DAY)])) == ["full", "incremental"]
    assert names(schedule, Known([backup(NOW - 8 * DAY), backup(NOW)])) == []


def test_what_was_never_done_counts_from_when_it_was_first_scheduled():
    seen = {"full": NOW - 11 * HOUR}
    assert names({"full": "0 2 * * *"}, Known(seen=seen)) == ["full"]
    assert names({"full": "0 2 * * *"}, Known(seen={"full": NOW - 9 * HOUR})) == []
    assert names({"full": "0 2 * * *"}, Known()) == []


def test_what_leaves_no_record_is_remembered():
    nightly, long_ago = {"expire": "0 4 * * *"}, [backup(NOW - 40 * DAY)]
    assert names(nightly, Known(long_ago, done={"expire": NOW - 9 * HOUR})) == ["expire"]
    assert names(nightly, Known(long_ago, done={"expire": NOW - 7 * HOUR})) == []


def test_a_backup_that_is_lost_is_not_remembered():
    assert names({"full": "0 2 * * *"}, Known([backup(NOW - 5 * DAY)], done={"full": NOW - HOUR})) == ["full"]
    damaged = backup(NOW - HOUR, status=Status.DAMAGED)
    assert names({"full": "0 2 * * *"}, Known([backup(NOW - 5 * DAY), damaged])) == ["full"]


def test_records_of_a_clock_that_was_ahead_say_nothing():
    future = backup(NOW + 400 * DAY, drilled_at=NOW + 400 * DAY)
    assert names({"full": "0 2 * * *"}, Known([backup(NOW - 2 * DAY), future])) == ["full"]
    done = {"expire": NOW + 400 * DAY}
    assert names({"expire": "0 4 * * *"}, Known([backup(NOW - 2 * DAY)], done=done)) == ["expire"]


def test_times_are_those_of_the_machine():
    # 02:30 in Berlin is 00:30 UTC in summer.
    berlin = datetime(2026, 7, 1, 2, 31, tzinfo=ZoneInfo("Europe/Berlin"))
    taken = [backup(datetime(2026, 7, 1, 0, 29, tzinfo=UTC))]
    assert names({"full": "30 2 * * *"}, Known(taken), berlin) == ["full"]
    assert names({"full": "30 2 * * *"}, Known(taken), berlin.astimezone(UTC)) == []


def test_a_gap_comes_first_and_needs_all_files():
    known = Known([backup(NOW - 5 * DAY)], gaps=["000000010000000000000007"])
    assert due({"expire": "0 4 * * *"}, known)[0] == ("heal", ("backup", "--full"))
    assert names({"expire": "0 4 * * *"}, known) == ["heal", "expire"]


def test_a_full_backup_that_is_due_heals_a_gap_by_the_way():
    known = Known([backup(NOW - 5 * DAY)], gaps=["000000010000000000000007"])
    assert names({"full": "0 2 * * *", "expire": "0 4 * * *"}, known) == ["full", "expire"]
    assert names({"incremental": "0 2 * * *"}, known) == ["heal", "incremental"]


def test_no_backup_of_a_copy_that_is_not_accepted():
    schedule = {"full": "0 2 * * *", "incremental": "0 3 * * *", "logical": "0 3 * * *", "verify": "0 4 * * *"}
    known = Known([backup(NOW - 5 * DAY)], gaps=["000000010000000000000007"], undecided=True)
    assert names(schedule, known) == ["logical", "verify"]


def test_nothing_is_taken_and_nothing_expires_where_other_data_runs():
    schedule = dict.fromkeys(("full", "incremental", "logical", "verify", "expire", "drill"), "0 2 * * *")
    known = Known([backup(NOW - 5 * DAY)], gaps=["000000010000000000000007"], lost="7")
    assert names(schedule, known) == ["verify", "drill"]
    assert "restore --cluster 7" in known.holds


def test_an_incremental_backup_with_nothing_to_build_on_is_a_full_one():
    schedule, known = {"incremental": "0 3 * * *"}, Known([backup(NOW - 5 * DAY)])
    assert due(schedule, known) == [("incremental", ("backup", "--incremental", "--or-full"))]


@pytest.mark.parametrize(
    ("times", "code", "minutes"), [(1, 40, 1), (2, 40, 2), (4, 40, 8), (7, 40, 60), (5000, 1, 60), (9, 44, 1)]
)
def test_a_failure_waits_longer_each_time_and_a_lock_does_not(times, code, minutes):
    assert Failure(times, code).seconds == minutes * 60


def test_what_was_found_is_not_searched_again():
    assert ended_well("drill", 41)
    assert ended_well("verify", 43)
    assert ended_well("full", 0)
    assert not ended_well("full", 41)
    assert not ended_well("drill", 44)
