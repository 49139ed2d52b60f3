"""Room and time of a restore, worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stackctl.backup.estimate import Run, by_drills, expected_seconds, needed_bytes
from stanza import Stanza

MIB = 2**20


def test_room_for_all_of_the_chain_for_what_wal_adds_and_for_wal():
    # Two files of 16 MiB at work; they hold 20 MiB that may be new rows.
    assert needed_bytes(1050 * MIB, 2, 20 * MIB) == (1000 + 50 + 20 + 32) * MIB
    # Of many files no more than 1 GiB lies in pg_wal at a time.
    assert needed_bytes(1050 * MIB, 1000, 9000 * MIB) == (1000 + 50 + 9000 + 1024) * MIB
    assert needed_bytes(1050 * MIB, 0, 0) == 1050 * MIB


def test_no_time_is_promised_before_a_run_was_measured():
    assert expected_seconds([], 10**9, 10) is None


def test_time_by_the_rates_of_earlier_runs():
    runs = [Run(bytes=100 * MIB, files=10, copy_seconds=2, replay_seconds=5, switch_seconds=8)]
    # 2 s for each 100 MiB, half a second for each file, and 8 s to stop and start.
    assert expected_seconds(runs, 1000 * MIB, 4) == 20 + 2 + 8
    slower = Run(bytes=100 * MIB, files=30, copy_seconds=6, replay_seconds=15, switch_seconds=12)
    # Together 8 s for 200 MiB and 20 s for 40 files.
    assert expected_seconds([*runs, slower], 1000 * MIB, 4) == 40 + 2 + 10


def test_before_the_first_restore_drills_of_full_backups_tell():
    """10 s and 30 s for 5000 bytes each are 4 s for each thousand; 0.5 s of an increment say nothing."""
    store, noon = Stanza(), datetime(2026, 3, 31, 12, tzinfo=UTC)
    for number, (name, seconds) in enumerate((("F1", "10"), ("F2", "30"), ("F3", None))):
        drilled = {"stackctl-drilled": "2026-03-31T13:00:00Z", "stackctl-rto": seconds} if seconds else {}
        store.take(name, noon + timedelta(days=number), notes=drilled)
    backups = store.stored().backups()
    increment = replace(backups[0], id="I1", parent="F1", bytes=100, rto_seconds=0.5)
    assert by_drills([*backups, increment], 2000) == 8
    assert by_drills([increment], 2000) is None


def test_only_the_last_five_runs_count():
    old, new = Run(1000, 1, 100, 100, 100), Run(1000, 1, 1, 1, 1)
    assert expected_seconds([old, *[new] * 5], 1000, 1) == 3


def test_runs_that_replayed_nothing_tell_how_long_a_start_takes():
    assert expected_seconds([Run(1000, 0, 2, 1, 3)], 1000, 5) == 2 + 1 + 3
