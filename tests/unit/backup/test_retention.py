"""Which backups stay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.retention import Policy, retain
from stackctl.backup.wal_name import Branch, lsn

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
WEEK = Policy(window=timedelta(days=7), redundancy=1, minimum=1)


def backup(number, days, kind=Kind.FULL, parent=None, status=Status.OK, kept=""):
    """The `number`th backup, finished so many days ago."""
    at = NOW - timedelta(days=days)
    return Backup(
        id=f"{number:06d}",
        kind=kind,
        engine="native",
        started_at=at,
        finished_at=at,
        bytes=1,
        postgres=17,
        system="1",
        checksums="",
        parent=f"{parent:06d}" if parent else None,
        status=status,
        kept=kept,
    )


def expired(backups, policy=WEEK, used=()):
    return [int(each.id) for each in retain(backups, policy, NOW, used).expired]


def test_the_last_one_before_the_window_stays_and_older_ones_go():
    assert expired([backup(1, 21), backup(2, 14), backup(3, 8), backup(4, 1)]) == [1, 2]


def test_one_that_was_finished_at_the_edge_is_enough():
    assert expired([backup(1, 8), backup(2, 7), backup(3, 1)]) == [1]


def test_a_damaged_one_before_the_window_does_not_let_the_good_one_go():
    assert expired([backup(1, 21), backup(2, 14), backup(3, 8, status=Status.DAMAGED), backup(4, 1)]) == [1, 3]


def test_an_incremental_keeps_what_it_is_built_on():
    chain = [backup(1, 21), backup(2, 14, Kind.INCREMENTAL, 1), backup(3, 8, Kind.INCREMENTAL, 2), backup(4, 1)]
    assert expired(chain) == []
    assert retain(chain, WEEK, NOW).reasons["000001"] == "000003 is built on it"


def test_an_incremental_on_a_damaged_parent_counts_for_nothing():
    chain = [backup(1, 30), backup(2, 14, status=Status.DAMAGED), backup(3, 8, Kind.INCREMENTAL, 2)]
    assert expired(chain) == [2, 3]


def test_an_incremental_whose_parent_is_gone_counts_for_nothing():
    assert expired([backup(1, 30), backup(3, 8, Kind.INCREMENTAL, 2)]) == [3]


def test_redundancy_counts_good_full_backups():
    many = [backup(n, 40 - n) for n in range(1, 5)] + [backup(5, 30, status=Status.DAMAGED)]
    assert expired(many, Policy(timedelta(0), redundancy=3, minimum=0)) == [1, 5]


def test_the_minimum_holds_whatever_the_other_rules_say():
    nothing = Policy(timedelta(0), redundancy=0, minimum=2)
    # The window of no length still needs the newest.
    assert expired([backup(1, 9), backup(2, 8), backup(3, 7)], nothing) == [1]
    assert expired([backup(1, 9), backup(2, 8, status=Status.DAMAGED), backup(3, 7)], nothing) == [2]
    assert expired([backup(1, 9)], nothing) == []


def test_where_none_is_good_the_last_ones_stay_all_the_same():
    """As where a disk failed under all of them: they may be all that is left."""
    full = [backup(number, 40 - number, status=Status.DAMAGED) for number in (1, 2, 3)]
    changed = backup(4, 20, Kind.INCREMENTAL, 2, status=Status.DAMAGED)
    dumps = [backup(number, 20, Kind.LOGICAL, status=Status.DAMAGED) for number in (5, 6, 7)]
    two = Policy(timedelta(0), redundancy=0, minimum=2)
    # The incremental one is built on the second.
    assert expired([*full, changed], two) == [1]
    assert retain([*full, changed], two, NOW).reasons["000003"] == "never fewer than 2 backups, and none is good"
    assert expired([*full, *dumps], Policy(timedelta(0), redundancy=1, minimum=0)) == [1, 2, 5, 6]
    assert expired([*full, changed, backup(8, 1)], two) == [1, 2, 3, 4]


def test_kept_and_used_backups_stay():
    backups = [backup(1, 30, kept="audit"), backup(2, 29), backup(3, 28), backup(4, 8)]
    assert expired(backups, used=["000003"]) == [2]
    reasons = retain(backups, WEEK, NOW, ["000003"]).reasons
    assert (reasons["000001"], reasons["000003"]) == ("kept: audit", "in use")


def test_weeks_and_months():
    """31 March 2026 is a Tuesday; one full backup a day for 90 days."""
    backups = [backup(91 - days, days) for days in range(90, -1, -1)]
    left = retain(backups, Policy(timedelta(days=2), 1, 1, weekly=2, monthly=3), NOW).reasons
    days = {backup.finished_at.strftime("%m-%d") for backup in backups if backup.id in left}
    # The window needs 29 to 31 March; the weeks begin on Monday 23 and 30; the months on the first.
    assert days == {"03-29", "03-30", "03-31", "03-23", "01-01", "02-01", "03-01"}


def test_dumps_follow_redundancy_alone_and_count_for_nothing_else():
    backups = [backup(1, 30), backup(2, 20, Kind.LOGICAL), backup(3, 10, Kind.LOGICAL), backup(4, 3, Kind.LOGICAL)]
    assert expired(backups) == [2, 3]


@pytest.mark.parametrize("policy", [WEEK, Policy(), Policy(timedelta(0), 0, 0, 5, 5)])
def test_nothing_is_expired_of_nothing(policy):
    assert expired([], policy) == []


def placed(made, timeline, stop):
    return replace(made, timeline=timeline, wal_start=lsn(stop), wal_stop=lsn(stop))


def test_the_way_into_the_present_history_stays_though_a_later_one_of_the_history_that_was_left_does_too():
    """Full ones at 0/2 and 0/4 on timeline 1, then a restore to 0/3, which timeline 2 goes on from."""
    histories = {"1": {2: (Branch(1, lsn("0/3000100")),)}}
    way, left = placed(backup(1, 15), 1, "0/2000100"), placed(backup(2, 14), 1, "0/4000100")
    present = [placed(backup(3, 6), 2, "0/5000100"), placed(backup(4, 1), 2, "0/6000100")]
    backups = [placed(backup(0, 20), 1, "0/1000100"), way, left, *present]
    verdict = retain(backups, WEEK, NOW, histories=histories)
    assert [int(each.id) for each in verdict.expired] == [0]
    assert "in the present history" in verdict.reasons["000001"]
    # Once one of the present history is old enough, it leads there, and the others go.
    later = [placed(backup(3, 8), 2, "0/5000100"), present[1]]
    assert [int(each.id) for each in retain([way, left, *later], WEEK, NOW, histories=histories).expired] == [1, 2]


def test_backups_of_a_history_that_was_left_count_for_no_rule_but_the_window():
    """Three on timeline 1 behind 0/3, which timeline 2 left there; two of timeline 2, one of them damaged."""
    histories = {"1": {2: (Branch(1, lsn("0/3000100")),)}}
    way = placed(backup(1, 30), 1, "0/2000100")
    left = [placed(backup(number, 30 - number), 1, f"0/{number + 2}000100") for number in (2, 3, 4)]
    mine = placed(backup(5, 20), 2, "0/8000100")
    damaged = replace(placed(backup(6, 19), 2, "0/9000100"), status=Status.DAMAGED)
    policy = Policy(timedelta(0), redundancy=2, minimum=2, weekly=2, monthly=1)
    verdict = retain([way, *left, mine, damaged], policy, NOW, histories=histories)
    # The first is of Sunday, 1 March; the next three of the week after it, in which the present history has none.
    assert [int(each.id) for each in verdict.expired] == [2, 3, 4, 6]
    unknown = retain([way, *left, mine, damaged], policy, NOW)
    assert [int(each.id) for each in unknown.expired] == [3, 6]


def test_where_too_few_lead_to_the_present_the_others_make_up_the_number():
    histories = {"1": {2: (Branch(1, lsn("0/1000100")),)}}
    left = [placed(backup(number, 30 - number), 1, f"0/{number + 2}000100") for number in (1, 2, 3)]
    mine = placed(backup(4, 8), 2, "0/8000100")
    nothing = Policy(timedelta(0), redundancy=1, minimum=3)
    assert [int(each.id) for each in retain([*left, mine], nothing, NOW, histories=histories).expired] == [1]


def test_the_history_of_another_cluster_keeps_nothing():
    histories = {"2": {2: (Branch(1, lsn("0/3000100")),)}}
    backups = [placed(backup(1, 15), 1, "0/2000100"), placed(backup(2, 14), 1, "0/4000100"), backup(3, 1)]
    assert [int(each.id) for each in retain(backups, WEEK, NOW, histories=histories).expired] == [1]


def test_a_cluster_with_newer_backups_lets_none_of_another_go():
    """As where two projects share a repository, or the data was lost and an empty database took its place."""
    mine = [backup(1, 40), backup(2, 30), backup(3, 20)]
    other = [replace(backup(number, 10 - number), system="2") for number in (4, 5, 6, 7)]
    assert expired([*mine, *other], Policy(timedelta(0), redundancy=2, minimum=2)) == [1, 4, 5]
