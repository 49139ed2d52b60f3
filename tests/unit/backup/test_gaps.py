"""What an archive lacks."""

from datetime import UTC, datetime

import pytest

from stackctl.backup.gaps import Gap, find_gaps, healed, needed, own_segments, passed
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.wal_name import Branch, Segment, lsn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(timeline, *numbers):
    return {Segment(timeline, number) for number in numbers}


def gap(timeline, first, last):
    return Gap(Segment(timeline, first), Segment(timeline, last))


def backup(start, stop, **fields):
    known = {"kind": Kind.FULL, "engine": "native", "started_at": NOON, "finished_at": NOON, "bytes": 0, "postgres": 17}
    found = {"id": "1", "system": "1", "checksums": "", "timeline": 1, "wal_start": lsn(start), "wal_stop": lsn(stop)}
    return Backup(**{**known, **found, **fields})


def test_a_gap_is_passed_once_something_is_archived_behind_it():
    assert not passed(gap(1, 5, 9), line(1, 3, 4))
    assert passed(gap(1, 5, 9), line(1, 4, 10))
    # After a restore, what the timeline that was left has behind it says nothing.
    assert not passed(gap(2, 5, 9), line(1, 10) | line(2, 4))
    assert passed(gap(1, 5, 9), line(1, 4) | line(2, 10))


def test_an_unbroken_line_has_none():
    assert find_gaps(line(1, 3, 4, 5), {}) == []
    assert find_gaps([], {}) == []


def test_missing_files_are_named_together():
    assert find_gaps(line(1, 3, 6, 8), {}) == [gap(1, 4, 5), gap(1, 7, 7)]
    assert str(gap(1, 4, 5)) == "000000010000000000000004 to 000000010000000000000005 (2 files)"
    assert str(gap(1, 7, 7)) == "000000010000000000000007"


def test_what_the_server_archived_last_must_be_there():
    assert find_gaps(line(1, 3), {}, Segment(1, 5)) == [gap(1, 4, 5)]
    assert find_gaps(line(1, 3), {}, Segment(1, 3)) == []


@pytest.mark.parametrize(
    ("archived", "found"),
    [
        # Timeline 2 left in the middle of segment 5, of which it has a copy.
        (line(1, 2, 3, 4) | line(2, 5, 6), []),
        (line(1, 2, 3) | line(2, 5, 6), [gap(1, 4, 4)]),
        (line(1, 2, 3, 4, 5) | line(2, 5, 7), [gap(2, 6, 6)]),
        # What it began with was never archived; that the old history went on with the same numbers does not help.
        (line(1, 2, 3, 4) | line(2, 7), [gap(2, 5, 6)]),
        (line(1, 2, 3, 4, 5, 6) | line(2, 6), [gap(2, 5, 5)]),
        # Its beginning was expired with all before it.
        (line(2, 6, 7), []),
        (line(1, 6) | line(2, 6, 7), []),
    ],
)
def test_along_a_promotion(archived, found):
    assert find_gaps(archived, {2: (Branch(1, lsn("0/5000100")),)}) == found


def test_a_timeline_without_a_history_begins_with_what_is_there():
    assert find_gaps(line(1, 2, 3) | line(2, 7), {}) == []


def test_a_good_backup_behind_it_heals():
    """Gap 4 to 5; the backups begin in segments 5 and 6."""
    assert not healed(gap(1, 4, 5), [backup("0/5000028", "0/6000120")])
    assert healed(gap(1, 4, 5), [backup("0/6000028", "0/6000120")])
    assert not healed(gap(1, 4, 5), [backup("0/6000028", "0/6000120", status=Status.DAMAGED)])


def test_a_gap_before_the_oldest_backup_is_needed_by_nobody():
    assert not needed(gap(1, 4, 5), [backup("0/6000028", "0/6000120")])
    assert needed(gap(1, 4, 5), [backup("0/3000028", "0/3000120"), backup("0/6000028", "0/6000120")])
    assert needed(gap(1, 4, 5), [])


def test_the_segments_in_a_backup():
    assert own_segments(backup("0/2000028", "0/4000000")) == line(1, 2, 3)
