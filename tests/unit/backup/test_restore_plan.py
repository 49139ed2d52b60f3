"""Which backups lead to the present history of a cluster."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.restore_plan import (
    Candidate,
    choose,
    ended_early,
    of_newest_history,
    refuse_early,
    refuse_several_clusters,
)
from stackctl.backup.target import Target
from stackctl.backup.wal_name import Segment, lsn
from stackctl.backup.windows import Window
from stackctl.errors import Damaged, RestoreRefused, WalGap

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def candidate(number, system, timeline):
    backup = Backup(f"{number:06d}-20260301T120000Z-full", Kind.FULL, "native", NOON, NOON, 0, 18, system, "")
    return Candidate(backup, None, timeline)


def test_a_backup_of_a_history_that_a_restore_left_is_passed_over_though_it_is_newer():
    before, left = candidate(1, "7", 2), candidate(2, "7", 1)
    assert of_newest_history([before, left]) == [before]


def test_each_cluster_has_a_history_of_its_own():
    old, new = candidate(1, "7", 3), candidate(2, "8", 1)
    assert of_newest_history([old, new]) == [old, new]


def test_without_archived_wal_all_are_as_they_are():
    one, two = candidate(1, "7", 1), candidate(2, "7", 1)
    assert of_newest_history([one, two]) == [one, two]
    assert of_newest_history([]) == []


def test_among_backups_of_several_clusters_nobody_s_data_is_taken_unasked():
    one, two, other = (candidate(*each, 1).backup for each in ((1, "7"), (2, "7"), (3, "8")))
    refuse_several_clusters([one, two])
    with pytest.raises(RestoreRefused, match=f"2 clusters, .*: {two.id} of 7, {other.id} of 8") as refused:
        refuse_several_clusters([one, two, other])
    assert (refused.value.exit_code, "--backup ID" in refused.value.hint) == (42, True)


def test_where_a_target_lies_in_a_gap_it_is_said_what_recovery_reaches():
    one, two = (
        replace(candidate(n, "7", 1).backup, wal_stop=lsn(stop)) for n, stop in ((1, "0/3000100"), (2, "0/8000100"))
    )
    missing = Segment(1, 5)
    windows = (
        Window(one.id, lsn("0/3000100"), lsn("0/5000000"), 1, missing),
        Window(two.id, lsn("0/8000100"), lsn("0/9000000"), 1),
    )
    both = [Candidate(one, windows[0]), Candidate(two, windows[1])]
    with pytest.raises(WalGap) as refused:
        choose(both, Target(position=lsn("0/6000000")))
    reached = f"0/3000100 to 0/5000000 from {one.id}, 0/8000100 to 0/9000000 from {two.id}"
    assert str(refused.value).startswith("the archive lacks 000000010000000000000005, so recovery ends at 0/5000000")
    assert str(refused.value).endswith(f"; recovery reaches {reached}")
    assert choose(both, Target(position=lsn("0/4000000"))).backup == one


VERIFIED = "its verification found bytes that are not those of the backup"
LATER = NOON + timedelta(days=1)
# What is known of a damaged backup; then what is said of it, and which command clears it.
MARKED = {
    "verified": ({"verified_at": NOON}, f"{VERIFIED}, on 2026-03-01T12:00:00Z", "verify"),
    "nobody knows when": ({}, VERIFIED, "verify"),
    "drilled": (
        {"verified_at": NOON, "drill_tried_at": LATER, "drill_failing": "bytes"},
        "its drill found it broken at bytes, on 2026-03-02T12:00:00Z",
        "verify",
    ),
    "verified since": (
        {"verified_at": LATER, "drill_tried_at": NOON, "drill_failing": "bytes"},
        f"{VERIFIED}, on 2026-03-02T12:00:00Z",
        "verify",
    ),
    "broken itself": (
        {"verified_at": LATER, "drill_tried_at": NOON, "drill_failing": "amcheck", "drill_failed": "amcheck: no row"},
        "its drill found it broken at amcheck: no row, on 2026-03-01T12:00:00Z",
        "drill",
    ),
}


@pytest.mark.parametrize("case", MARKED)
def test_of_a_damaged_backup_that_somebody_named_it_is_said_why_and_what_clears_it(case):
    fields, said, clears = MARKED[case]
    found = candidate(1, "7", 1)
    marked = replace(found, backup=replace(found.backup, status=Status.DAMAGED, **fields))
    with pytest.raises(RestoreRefused) as refused:
        choose([marked], Target(), named=True)
    assert str(refused.value) == f"{marked.backup.id} is marked damaged: {said}"
    assert refused.value.hint.startswith(f"stackctl backup {clears} {marked.backup.id} clears that")
    with pytest.raises(RestoreRefused, match="there is no good backup to restore"):
        choose([marked], Target())


def test_recovery_that_stops_a_record_s_length_before_the_end_came_there():
    """16/B3800000 is 2 MiB before 16/B3A00000."""
    backup = candidate(1, "7", 1).backup
    reach = Candidate(backup, Window(backup.id, lsn("16/B0000000"), lsn("16/B3A00000"), 1))
    assert ended_early(reach, Target(), lsn("16/B3900000")) == ""
    assert "ended at 16/B3800000, and the WAL goes on to 16/B3A00000" in ended_early(
        reach, Target(), lsn("16/B3800000")
    )
    assert ended_early(reach, Target(name="before"), lsn("16/B3800000")) == ""
    assert ended_early(Candidate(backup, None), Target(), lsn("16/B3800000")) == ""


def test_only_where_each_file_has_a_checksum_an_early_end_is_damage_unless_the_backup_was_named():
    plain = candidate(1, "7", 1).backup
    window = Window(plain.id, lsn("16/B0000000"), lsn("16/B3A00000"), 1)
    theirs = Candidate(replace(plain, engine="pgbackrest"), window)
    early, end = lsn("16/B3800000"), lsn("16/B3A00000")
    refuse_early(Candidate(plain, window), Target(), early)
    refuse_early(replace(theirs, named=True), Target(), early)
    refuse_early(theirs, Target(), end)
    with pytest.raises(Damaged, match="goes on to 16/B3A00000") as caught:
        refuse_early(theirs, Target(), early)
    assert caught.value.exit_code == 41
