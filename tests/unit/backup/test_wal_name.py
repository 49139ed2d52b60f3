"""Names of WAL files, as PostgreSQL's own functions give them."""

import pytest

from stackctl.backup.wal_name import (
    Branch,
    Lsn,
    Segment,
    history_of,
    is_wal_file,
    last_segment,
    lsn,
    parse_history,
    parse_segment,
    segment_of,
)


# The names are what pg_walfile_name() of PostgreSQL 17 gives on timeline 1; it names the segment of the byte before.
@pytest.mark.parametrize(
    ("position", "name"),
    [
        ("0/1000001", "000000010000000000000001"),
        ("0/2000000", "000000010000000000000001"),
        ("0/2000001", "000000010000000000000002"),
        ("0/FF000001", "0000000100000000000000FF"),
        ("0/FFFFFFFF", "0000000100000000000000FF"),
        ("1/0", "0000000100000000000000FF"),
        ("1/1", "000000010000000100000000"),
        ("16/B374D848", "0000000100000016000000B3"),
    ],
)
def test_the_segment_of_a_position(position, name):
    assert last_segment(1, lsn(position)).name == name
    assert parse_segment(name) == last_segment(1, lsn(position))


def test_a_position_at_the_first_byte_of_a_segment_is_in_it():
    assert segment_of(3, lsn("0/2000000")).name == "000000030000000000000002"


def test_the_last_segment_before_the_upper_half_counts_up():
    last = parse_segment("0000000100000000000000FF")
    assert last.next().name == "000000010000000100000000"
    assert (str(last.start), str(last.end)) == ("0/FF000000", "1/0")


@pytest.mark.parametrize("name", ["0000000100000000000001", "000000010000000000000100", "00000001000000000000000g", ""])
def test_names_that_no_server_gives(name):
    """With segments of 16 MB the last part ends at FF."""
    assert parse_segment(name) is None
    assert not is_wal_file(name)


def test_other_files_that_are_archived():
    assert history_of("0000000A.history") == 10
    assert history_of("000000010000000000000001") is None
    assert is_wal_file("00000002.history")
    assert is_wal_file("000000010000000000000002.00000028.backup")
    assert is_wal_file("000000010000000000000002.partial")
    assert not is_wal_file("000000010000000000000002.part")


@pytest.mark.parametrize("text", ["", "16", "16/", "16/G", "x/1", "123456789/0", "0/1 0/2"])
def test_what_is_no_position(text):
    with pytest.raises(ValueError, match="no WAL position"):
        lsn(text)


def test_positions_are_ordered_by_their_bytes():
    assert lsn("0/FFFFFFFF") < lsn("1/0") < lsn("A/0") < lsn("10/0")
    assert str(lsn("00/0000abcd")) == "0/ABCD"
    assert Lsn(2**32 + 5) == lsn("1/5")


def test_a_history_with_a_comment_and_two_branches():
    text = "1\t0/3000158\tno recovery target specified\n\n# by hand\n2\t0/5000000\tbefore 2026-01-01 00:00:00+00\n"
    assert parse_history(text) == (Branch(1, lsn("0/3000158")), Branch(2, lsn("0/5000000")))


def test_a_damaged_history():
    with pytest.raises(ValueError, match="timeline history"):
        parse_history("one 0/1 x")


def test_segments_are_ordered_along_their_timeline():
    assert sorted([Segment(2, 1), Segment(1, 9), Segment(1, 2)]) == [Segment(1, 2), Segment(1, 9), Segment(2, 1)]
