"""What the policy lets go of a repository of pgBackRest, whose histories are read from its archive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.operations.backups.expire import judge
from stackctl.settings.backup import BackupSettings
from stanza import Stanza

NOW = datetime.now(UTC)
NOTHING = BackupSettings(window=timedelta(0), redundancy=1, minimum=1)
LEFT_AT_3 = "1\t0/3000100\tno recovery target specified\n"


@pytest.fixture
def store():
    """Two backups on timeline 1, one before and one behind where timeline 2 left it; one of timeline 2, the oldest."""
    made = Stanza()
    made.take("WAY", NOW - timedelta(days=30), segment=2)
    made.take("PRESENT", NOW - timedelta(days=20), segment=4, timeline=2)
    made.take("LEFT", NOW - timedelta(days=10), segment=4)
    made.archive(1, 2, 3, 4)
    made.archive(3, 4, timeline=2)
    return made


def test_a_backup_of_a_history_that_a_restore_left_counts_for_no_rule_though_it_is_the_newest(store):
    two = replace(NOTHING, redundancy=2)
    assert [backup.id for backup in judge(store.stored(), two).retention.expired] == ["WAY"]
    store.history(2, LEFT_AT_3)
    verdict = judge(store.stored(), two).retention
    assert (verdict.expired, verdict.reasons["WAY"]) == ((), "one of the last 2 full backups")
    assert verdict.reasons["LEFT"].endswith(" UTC begins with it"), "the window alone keeps it"


def test_wal_that_only_those_that_go_need_goes_with_them(store):
    store.history(2, LEFT_AT_3)
    verdict = judge(store.stored(), NOTHING)
    assert (verdict.wal_files, verdict.wal_bytes) == (4, 4000)
    assert verdict.bytes == 4000 + 5000
