"""How far recovery reaches from a backup."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.wal_name import Branch, Segment, lsn, parse_segment
from stackctl.backup.windows import newest_timeline, window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Taken while segment 2 was written: from 0/2000028 to 0/2000120.
BACKUP = Backup(
    id="000001-20260301T120000Z-full",
    kind=Kind.FULL,
    engine="native",
    started_at=NOON,
    finished_at=NOON,
    bytes=0,
    postgres=17,
    system="1",
    checksums="",
    timeline=1,
    wal_start=lsn("0/2000028"),
    wal_stop=lsn("0/2000120"),
)
# Timeline 2 left timeline 1 in the middle of segment 5, timeline 3 left 2 in segment 7.
HISTORIES = {
    2: (Branch(1, lsn("0/5000100")),),
    3: (Branch(1, lsn("0/5000100")), Branch(2, lsn("0/7000000"))),
}


def line(timeline, *numbers):
    return {Segment(timeline, number) for number in numbers}


def test_to_the_end_of_the_wal():
    found = window(BACKUP, line(1, 1, 2, 3, 4), {}, 1)
    assert (str(found.begin), str(found.end), found.gap) == ("0/2000120", "0/5000000", None)


def test_a_gap_ends_it_and_is_named():
    found = window(BACKUP, line(1, 2, 3, 5, 6), {}, 1)
    assert (str(found.end), found.gap) == ("0/4000000", parse_segment("000000010000000000000004"))


def test_the_segment_in_which_the_backup_began_is_missing():
    found = window(BACKUP, line(1, 3, 4), {}, 1)
    assert found.end < found.begin
    assert found.gap == Segment(1, 2)


def test_along_a_promotion():
    """Segment 5 of timeline 1 was never completed; the copy on timeline 2 has its first half."""
    found = window(BACKUP, line(1, 2, 3, 4) | line(2, 5, 6), HISTORIES, 2)
    assert (found.timeline, str(found.end), found.gap) == (2, "0/7000000", None)


def test_the_last_segment_of_the_old_timeline_is_in_neither():
    found = window(BACKUP, line(1, 2, 3, 4) | line(2, 6), HISTORIES, 2)
    assert found.gap == Segment(1, 5)


def test_along_two_promotions_the_second_at_the_first_byte_of_a_segment():
    """All of segment 6 is needed, and nothing of segment 7 of timeline 2; timeline 3 has no copy of segment 6."""
    archived = line(1, 2, 3, 4, 5) | line(2, 5, 6) | line(3, 7, 8)
    found = window(BACKUP, archived, HISTORIES, 3)
    assert (found.timeline, str(found.end), found.gap) == (3, "0/9000000", None)


def test_what_others_wrote_on_the_left_timeline_is_no_part_of_it():
    archived = line(1, 2, 3, 4, 5, 6, 7, 8) | line(2, 5)
    assert str(window(BACKUP, archived, HISTORIES, 2).end) == "0/6000000"
    assert window(BACKUP, archived, HISTORIES, 2).gap is None
    assert str(window(BACKUP, archived, HISTORIES, 1).end) == "0/9000000"


@pytest.mark.parametrize(
    ("timeline", "stop"), [(3, "0/2000120"), (1, "0/5000101")], ids=["a later timeline", "taken after the branch"]
)
def test_a_history_that_the_backup_is_no_part_of(timeline, stop):
    backup = replace(BACKUP, timeline=timeline, wal_stop=lsn(stop))
    assert window(backup, line(1, 2), HISTORIES, 2) is None


def test_the_newest_descendant():
    assert newest_timeline({}, line(1, 2), 1) == 1
    assert newest_timeline(HISTORIES, line(3, 7), 1) == 3
    assert newest_timeline(HISTORIES, line(1, 2), 2) == 3
    # A backup that ended behind the branch goes on where its own timeline does.
    assert newest_timeline(HISTORIES, line(1, 9), 1, lsn("0/5000100")) == 3
    assert newest_timeline(HISTORIES, line(1, 9), 1, lsn("0/5000101")) == 1
    # Without its history nobody knows where timeline 9 comes from.
    assert newest_timeline(HISTORIES, line(9, 2), 1) == 3


def test_a_segment_that_was_received_in_part_is_the_end():
    ends = {Segment(1, 5): lsn("0/5000400"), Segment(1, 9): lsn("0/9000400")}
    found = window(BACKUP, line(1, 2, 3, 4), {}, 1, ends)
    assert (str(found.end), found.gap) == ("0/5000400", None)


def test_a_part_before_whole_segments_is_a_gap_all_the_same():
    found = window(BACKUP, line(1, 2, 3, 5), {}, 1, {Segment(1, 4): lsn("0/4000400")})
    assert (str(found.end), found.gap) == ("0/4000400", Segment(1, 4))


def test_the_promoted_server_still_writes_the_segment_in_which_it_left():
    found = window(BACKUP, line(1, 2, 3, 4), HISTORIES, 2, {Segment(2, 5): lsn("0/5000400")})
    assert (found.timeline, str(found.end), found.gap) == (2, "0/5000400", None)


def test_a_part_of_the_left_timeline_reaches_no_further_than_the_branch():
    found = window(BACKUP, line(1, 2, 3, 4) | line(2, 6), HISTORIES, 2, {Segment(1, 5): lsn("0/5000400")})
    assert (str(found.end), found.gap) == ("0/5000100", Segment(1, 5))
