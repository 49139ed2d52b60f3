"""Dumps beside other backups, in one order, whatever a clock said."""

from datetime import UTC, datetime, timedelta

from stackctl.backup.joined import in_order
from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Unreadable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def taken(name, day, kind=Kind.FULL):
    at = NOON + timedelta(days=day)
    return Backup(name, kind, "any", at, at, 0, 17, "7", "")


def ids(*sorts):
    return [each.id for each in in_order(*sorts)]


def test_both_are_told_by_when_they_were_finished():
    assert ids([taken("a", 1), taken("b", 3)], [taken("x", 0), taken("y", 2), taken("z", 4)]) == list("xaybz")


def test_each_sort_keeps_its_order_where_a_clock_was_wrong():
    """A policy takes the last of a sort for the newest."""
    assert ids([taken("a", 1), taken("b", 3)], [taken("x", 9000), taken("y", 2)]) == list("abxy")


def test_what_has_no_time_is_behind_the_one_before_it():
    broken = Unreadable("y", "no record")
    assert ids([taken("a", 1), taken("b", 3)], [taken("x", 2), broken, taken("z", 4)]) == list("axybz")
