"""Pins that lose data, fill the disk or stop the server."""

import pytest

from profiles import changed, sized
from stackctl.hardware.model import Workload
from stackctl.sizing.model import REFUSED


def _found(profile, **pins):
    return [problem for problem in sized(profile, **pins).warnings if problem.code in ("dangerous", "risky")]


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("autovacuum", "off", "on"),
        ("autovacuum", "FALSE", "yes"),
        ("fsync", "0", "1"),
        ("full_page_writes", "no", "true"),
        ("zero_damaged_pages", "on", "off"),
        ("ignore_checksum_failure", "true", "off"),
        ("ignore_invalid_pages", "on", "off"),
        ("ignore_system_indexes", "1", "0"),
        ("wal_level", "minimal", "replica"),
        ("wal_level", "Minimal", "logical"),
        ("max_wal_size", "41GB", "40GB"),  # a fifth of 200 GiB
        ("max_wal_size", "40961", "40960"),  # in MB
        ("max_slot_wal_keep_size", "61GB", "60GB"),  # three tenths of it
        ("max_slot_wal_keep_size", "-1", "0"),
        ("track_counts", "off", "on"),
        ("min_wal_size", "41GB", "2GB"),
        ("min_wal_size", "16MB", "32MB"),
        ("max_wal_size", "31", "4GB"),
        ("wal_keep_size", "61GB", "60GB"),
        ("max_stack_depth", "8MB", "7680kB"),
    ],
)
def test_a_dangerous_pin_is_refused(name, wrong, right):
    (problem,) = _found(changed(), **{name: wrong})
    assert problem.code == "dangerous"
    assert problem.code in REFUSED
    assert problem.message.startswith(f"{name} = {wrong}, pinned by stackctl.yaml: ")
    assert problem.hint
    assert _found(changed(), **{name: right}) == []


def test_the_message_says_what_happens_and_the_hint_what_fits():
    (wal,) = _found(changed(disk_gib=10), max_wal_size="4GB")
    assert wal.message == (
        "max_wal_size = 4GB, pinned by stackctl.yaml: "
        "checkpoints may let the WAL fill more than 20 % of the disk, 10 GiB"
    )
    assert wal.hint == "write 2GB or less, or use a larger disk (--disk)"
    (level,) = _found(changed(), wal_level="minimal")
    assert level.message.endswith("the server does not start with it while max_wal_senders is 5")


@pytest.mark.parametrize(("name", "wrong"), [("archive_mode", "off"), ("archive_timeout", "0")])
def test_an_archive_that_does_not_reach_to_the_last_moment_is_a_warning(name, wrong):
    (problem,) = _found(changed(), **{name: wrong})
    assert (problem.code, problem.message.startswith(f"{name} = {wrong}, ")) == ("risky", True)


def test_minimal_wal_is_not_archived():
    sizing = sized(changed(), wal_level="minimal", max_wal_senders="0")
    assert (sizing.value("archive_mode"), sizing.value("summarize_wal")) == ("off", "off")


def test_minimal_wal_without_senders_is_the_users_choice():
    assert _found(changed(), wal_level="minimal", max_wal_senders="0") == []


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
def test_a_development_database_may_do_without_safety(name):
    (problem,) = _found(changed(workload=Workload.DEV), **{name: "off"})
    assert (problem.code, problem.code in REFUSED) == ("risky", False)


def test_a_development_database_may_not_ignore_damage():
    (problem,) = _found(changed(workload=Workload.DEV), zero_damaged_pages="on")
    assert problem.code == "dangerous"


def test_commits_that_may_be_lost_are_a_warning():
    (problem,) = _found(changed(), synchronous_commit="OFF")
    assert (problem.code, "loses the last transactions" in problem.message) == ("risky", True)
    assert _found(changed(), synchronous_commit="local") == []


def test_buffers_above_two_fifths_of_ram_are_a_warning():
    (problem,) = _found(changed(), shared_buffers="6554MB")  # two fifths of 16 GiB are 6553.6 MB
    assert problem.code == "risky"
    assert problem.hint == "6553MB or less leaves the page cache its room"
    assert _found(changed(), shared_buffers="6553MB") == []


def test_nothing_sized_is_a_mistake():
    assert [_found(changed(workload=workload)) for workload in Workload] == [[]] * len(Workload)


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("temp_file_limit", "-1", "60GB"),
        ("temp_file_limit", "61GB", "1GB"),
        ("synchronous_standby_names", "*", ""),
        ("effective_cache_size", "17GB", "16GB"),
    ],
)
def test_a_risky_pin_is_a_warning(name, wrong, right):
    (problem,) = _found(changed(), **{name: wrong})
    assert (problem.code, problem.code in REFUSED) == ("risky", False)
    assert problem.hint
    assert _found(changed(), **{name: right}) == []


@pytest.mark.parametrize(("name", "value"), [("archive_mode", "on"), ("summarize_wal", "on")])
def test_minimal_wal_goes_with_neither_archiving_nor_summaries(name, value):
    (problem,) = _found(changed(), wal_level="minimal", max_wal_senders="0", **{name: value})
    assert problem.code == "dangerous"
    assert problem.message.endswith(f"the server does not start with it while {name} is {value}")
