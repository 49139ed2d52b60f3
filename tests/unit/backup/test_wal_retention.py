"""Which archived WAL may go."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.backup.archive import Archived
from stackctl.backup.model import Backup, Kind
from stackctl.backup.wal_name import lsn
from stackctl.backup.wal_retention import unneeded

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def files(*names):
    return [Archived(name, 1, 16_777_216, Path(name)) for name in names]


def backup(start, timeline=1, system="7", kind=Kind.FULL):
    return Backup("000001", kind, "native", NOW, NOW, 1, 17, system, "", timeline, lsn(start) if start else None)


def gone(there, *kept):
    return [file.name for file in unneeded(files(*there), kept, "7")]


ARCHIVE = ["000000010000000000000004", "000000010000000000000005", "000000010000000000000006"]


def test_what_lies_before_the_oldest_kept_start_goes():
    # 0/5000028 lies in the segment 5, which stays.
    assert gone(ARCHIVE, backup("0/5000028"), backup("0/6000028")) == ["000000010000000000000004"]


def test_the_count_goes_on_from_one_log_to_the_next():
    there = ["0000000100000000000000FF", "000000010000000100000000"]
    assert gone(there, backup("1/28")) == ["0000000100000000000000FF"]


def test_a_later_timeline_keeps_what_an_older_backup_needs_of_the_first():
    there = [*ARCHIVE, "000000020000000000000005", "000000020000000000000006"]
    assert gone(there, backup("0/5000028", timeline=1), backup("0/6000028", timeline=2)) == ["000000010000000000000004"]
    both = ["000000010000000000000004", "000000010000000000000005", "000000020000000000000005"]
    assert gone(there, backup("0/6000028", timeline=2)) == both


def test_histories_stay_and_labels_go_with_their_segment():
    there = ["00000002.history", "000000010000000000000004.00000028.backup", "000000010000000000000005.00000028.backup"]
    assert gone(there, backup("0/5000028")) == ["000000010000000000000004.00000028.backup"]


@pytest.mark.parametrize("kept", [(), (backup("0/9000028", system="8"),), (backup(None, None, kind=Kind.LOGICAL),)])
def test_without_a_physical_backup_of_the_cluster_everything_stays(kept):
    assert gone(ARCHIVE, *kept) == []
