"""What expiring must leave, whatever backups there are and whatever the policy says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.backup.archive import Archived
from stackctl.backup.gaps import own_segments
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.retention import Policy, ancestors, restorable, retain
from stackctl.backup.wal_name import Branch, Lsn, Segment, lsn, parse_segment, segment_of
from stackctl.backup.wal_retention import unneeded
from stackctl.backup.windows import newest_timeline, window

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
SEGMENT = 2**24
# Few values, so that rules meet: several rules keep one backup, and one rule alone keeps another.
GAPS = st.integers(0, 6).map(lambda halves: timedelta(hours=12 * halves))
POLICIES = st.builds(
    Policy,
    window=st.sampled_from((0, 1, 3, 10)).map(lambda days: timedelta(days=days)),
    redundancy=st.sampled_from((0, 0, 1, 3)),
    minimum=st.sampled_from((1, 2, 4)),
    weekly=st.sampled_from((0, 0, 2)),
    monthly=st.sampled_from((0, 0, 2)),
)
many = settings(max_examples=400)


@st.composite
def histories_of_backups(draw, systems=("1",)):
    """A few, oldest first: full, incremental on any older one of its cluster, and dumps; good, damaged, kept."""
    found: list[Backup] = []
    gaps = draw(st.lists(GAPS, max_size=8))
    at = NOW - sum(gaps, timedelta())
    for number, gap in enumerate(gaps, 1):
        at += gap
        system = draw(st.sampled_from(systems))
        bases = [each.id for each in found if each.kind is not Kind.LOGICAL and each.system == system]
        kind = draw(st.sampled_from(Kind if bases else (Kind.FULL, Kind.LOGICAL)))
        found.append(
            Backup(
                id=f"{number:06d}",
                kind=kind,
                engine="native",
                started_at=at,
                finished_at=at,
                bytes=1,
                postgres=17,
                system=system,
                checksums="",
                parent=draw(st.sampled_from(bases)) if kind is Kind.INCREMENTAL else None,
                status=draw(st.sampled_from((Status.OK, Status.OK, Status.OK, Status.DAMAGED))),
                kept=draw(st.sampled_from(("", "", "", "", "audit"))),
            )
        )
    return found


# Most are of one: where each has few, its rules keep all of them.
CLUSTERS = histories_of_backups(("1", "1", "2"))


def of(system, backups):
    return [each for each in backups if each.system == system]


@st.composite
def with_left_histories(draw):
    """Backups along timelines, each of which left the last one behind some or all of its backups; their histories.

    A segment for each backup, in the order in which they were taken. The last timeline may have none.
    """
    found, timeline, branches = [], 1, {}
    backups = draw(histories_of_backups())
    for segment, backup in enumerate([*backups, None], 1):
        if draw(st.sampled_from((True, False, False) if backup else (True, False))):
            starts = [each.wal_start for each in found if each.timeline == timeline]
            at = draw(st.sampled_from([*starts, Lsn(segment * SEGMENT)]))
            branches[timeline + 1] = (*branches.get(timeline, ()), Branch(timeline, at))
            timeline += 1
        if backup:
            found.append(_on(timeline, segment, backup, found))
    return found, branches


def _on(timeline, segment, backup, before):
    """`backup` there; an incremental whose base is on another timeline becomes a full one."""
    if backup.kind is Kind.LOGICAL:
        return backup
    if backup.parent not in {each.id for each in before if each.timeline == timeline}:
        backup = replace(backup, kind=Kind.FULL, parent=None)
    start, stop = (Lsn(segment * SEGMENT + offset) for offset in (0x28, 0x120))
    return replace(backup, timeline=timeline, wal_start=start, wal_stop=stop)


def present(backups, branches):
    """Those whose WAL the newest timeline goes on from: none of the branches on the way lies before their end."""
    way = {branch.parent: branch.at for branch in branches.get(max(branches, default=1), ())}
    newest = max(branches, default=1)
    return [each for each in backups if each.timeline == newest or way.get(each.timeline, Lsn(0)) >= each.wal_stop]


@many
@given(with_left_histories(), POLICIES)
def test_the_present_history_has_its_minimum_and_its_redundancy(made, policy):
    """By these two rules alone: the others only keep more."""
    backups, branches = made
    policy = replace(policy, window=timedelta(), weekly=0, monthly=0)
    left = left_of(backups, retain(backups, policy, NOW, histories={"1": branches}))
    there, stays = restorable(backups), restorable(left)
    assert len(stays) >= min(policy.minimum, len(there))
    assert len(present(stays, branches)) >= min(policy.minimum, len(present(there, branches)))
    full, full_left = ([each for each in some if each.kind is Kind.FULL] for some in (there, stays))
    assert len(full_left) >= min(policy.redundancy, len(full))
    assert len(present(full_left, branches)) >= min(policy.redundancy, len(present(full, branches)))


@many
@given(with_left_histories(), POLICIES)
def test_a_history_that_was_left_keeps_nothing_outside_the_window_while_there_are_enough_others(made, policy):
    backups, branches = made
    policy = replace(policy, weekly=0, monthly=0)
    verdict = retain(backups, policy, NOW, histories={"1": branches})
    good = present(restorable(backups), branches)
    enough = max(policy.minimum, policy.redundancy) <= len([each for each in good if each.kind is Kind.FULL])
    abandoned = {each.id for each in restorable(backups)} - {each.id for each in good}
    reasons = {verdict.reasons[identifier] for identifier in abandoned if identifier in verdict.reasons}
    if enough:
        assert not any("never fewer" in reason or "one of the last" in reason for reason in reasons)


@many
@given(with_left_histories(), POLICIES)
def test_a_second_run_finds_nothing_to_do_where_histories_were_left(made, policy):
    backups, branches = made
    left = left_of(backups, retain(backups, policy, NOW, histories={"1": branches}))
    assert retain(left, policy, NOW, histories={"1": branches}).expired == ()


def left_of(backups, verdict):
    return [each for each in backups if each not in verdict.expired]


@many
@given(CLUSTERS, POLICIES)
def test_no_cluster_has_fewer_good_ones_than_the_minimum_or_the_redundancy(backups, policy):
    left = left_of(backups, retain(backups, policy, NOW))
    for system in "12":
        good, stays = restorable(of(system, backups)), restorable(of(system, left))
        assert len(stays) >= min(policy.minimum, len(good))
        full, full_left = ([each for each in some if each.kind is Kind.FULL] for some in (good, stays))
        assert len(full_left) >= min(policy.redundancy, len(full))


@many
@given(CLUSTERS, POLICIES)
def test_a_cluster_of_which_nothing_is_good_keeps_its_minimum_of_what_there_is(backups, policy):
    left = left_of(backups, retain(backups, policy, NOW))
    for system in "12":
        there, stays = ([b for b in of(system, some) if b.kind is not Kind.LOGICAL] for some in (backups, left))
        if not restorable(there):
            assert len(stays) >= min(policy.minimum, len(there))


@many
@given(CLUSTERS, POLICIES)
def test_what_another_cluster_has_neither_keeps_nor_lets_go_any(backups, policy):
    reasons = retain(backups, policy, NOW).reasons
    alone = [retain(of(system, backups), policy, NOW).reasons for system in "12"]
    assert reasons == {**alone[0], **alone[1]}


@many
@given(CLUSTERS, POLICIES, st.data())
def test_what_is_kept_or_used_stays_with_all_that_it_is_built_on(backups, policy, data):
    used = data.draw(st.sets(st.sampled_from([each.id for each in backups]))) if backups else set()
    left = left_of(backups, retain(backups, policy, NOW, used))
    ids, by_id = {each.id for each in left}, {each.id for each in backups}
    assert used <= ids
    assert {each.id for each in backups if each.kept} <= ids
    needed = {parent.id for each in left for parent in ancestors(each, {b.id: b for b in backups})}
    assert needed & by_id <= ids


@many
@given(CLUSTERS, POLICIES)
def test_each_moment_of_the_window_is_recovered_from_the_backup_that_it_was_before(backups, policy):
    left = left_of(backups, retain(backups, policy, NOW))
    edge = NOW - policy.window
    moments = (edge, NOW, *(each.finished_at for each in backups if each.finished_at > edge))
    for system, moment in product("12", moments):
        before = [each.id for each in restorable(of(system, backups)) if each.finished_at <= moment]
        after = [each.id for each in restorable(of(system, left)) if each.finished_at <= moment]
        assert before[-1:] == after[-1:]


@many
@given(CLUSTERS, POLICIES)
def test_a_second_run_finds_nothing_to_do(backups, policy):
    left = left_of(backups, retain(backups, policy, NOW))
    assert retain(left, policy, NOW).expired == ()


@many
@given(CLUSTERS, POLICIES)
def test_wherever_the_removal_ends_what_stays_can_be_restored_as_before(backups, policy):
    """They are removed from the last to the first."""
    verdict = retain(backups, policy, NOW)
    left = list(backups)
    for gone in reversed(verdict.expired):
        left.remove(gone)
        assert restorable(left) == [each for each in restorable(backups) if each in left]


@many
@given(CLUSTERS, POLICIES, st.data())
def test_a_clock_that_was_years_off_lets_nothing_more_go(backups, policy, data):
    """All but the first of each cluster may have been taken under one; nothing else knows how old that was."""
    policy = replace(policy, weekly=0, monthly=0)
    first = [of(system, backups)[:1] for system in "12"]
    wrong = [
        each if [each] in first else replace(each, finished_at=data.draw(st.sampled_from((each.finished_at, *WRONG))))
        for each in backups
    ]
    expired = {each.id for each in retain(wrong, policy, NOW).expired}
    assert expired <= {each.id for each in retain(backups, policy, NOW).expired}


WRONG = (datetime(2001, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
# Timeline 2 left timeline 1 in the middle of segment 12.
LEFT = lsn("0/C000100")
HISTORIES = {2: (Branch(1, LEFT),)}


def physical(number, timeline, segment):
    """A backup that began and ended in one segment."""
    start, stop = (Lsn(segment * SEGMENT + offset) for offset in (0x28, 0x120))
    identifier = f"{number:06d}"
    return Backup(identifier, Kind.FULL, "native", NOW, NOW, 1, 17, "7", "", timeline, start, stop)


@st.composite
def kept_backups(draw):
    segments = draw(st.sets(st.integers(2, 24), min_size=1, max_size=4))
    return [physical(number, 1 if number < 12 else 2, number) for number in sorted(segments)]


def reach(backup, archived):
    timeline = newest_timeline(HISTORIES, archived, backup.timeline)
    return window(backup, archived | own_segments(backup), HISTORIES, timeline)


@given(kept_backups(), st.sets(st.integers(1, 12)), st.sets(st.integers(12, 25)))
def test_recovery_reaches_as_far_without_the_wal_that_goes(kept, first, second):
    there = {Segment(1, number) for number in first} | {Segment(2, number) for number in second}
    files = [Archived(segment.name, 1, SEGMENT, Path(segment.name)) for segment in sorted(there)]
    gone = {parse_segment(file.name) for file in unneeded(files, kept, "7")}
    oldest = min(segment_of(each.timeline, each.wal_start).number for each in kept)
    assert gone == {segment for segment in there if segment.number < oldest}
    for each in kept:
        assert reach(each, there - gone) == reach(each, there)
