"""How far recovery reaches in a repository of pgBackRest, as its listing tells it."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.pgbackrest.info import read_listing
from stackctl.backup.pgbackrest.stored import RemoteArchive
from stackctl.backup.restore_plan import choose
from stackctl.backup.target import Target
from stackctl.backup.wal_name import lsn
from stackctl.errors import WalGap
from stackctl.operations.archives import gap_problems, held_archives
from stackctl.operations.candidates import candidates

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# From the beginning of segment 4 to a little behind it, all in the one segment.
BACKUP = replace(
    Backup("20260301-120000F", Kind.FULL, "pgbackrest", NOON, NOON, 0, 17, "7", ""),
    timeline=1,
    wal_start=lsn("0/4000028"),
    wal_stop=lsn("0/4000158"),
)
HISTORY = "1\t0/5000100\tno recovery target specified\n"


@dataclass
class Repository:
    """What is in an archive of one cluster, in which `names` lie."""

    names: tuple[str, ...]
    taken: tuple[Backup, ...] = (BACKUP,)

    def systems(self):
        return ["7"]

    def backups(self):
        return self.taken

    def tails(self):
        return {}

    def archive(self, _system):
        entry = {"type": "file", "size": 1000}
        paths = [f"17-1/{name}" if "." in name else f"17-1/{name[:16]}/{name}-{'a' * 40}.zst" for name in self.names]
        return RemoteArchive("s3://shop/archive", [read_listing(json.dumps(dict.fromkeys(paths, entry)))["17-1"]], read)


def read(path):
    assert path == "17-1/00000002.history"
    return HISTORY


def segments(*numbers, timeline=1):
    return tuple(f"{timeline:08X}00000000{number:08X}" for number in numbers)


def test_it_reaches_to_the_end_of_the_archive():
    (found,) = candidates(Repository(segments(3, 4, 5)), [BACKUP])
    assert (str(found.window.end), found.window.gap, found.timeline) == ("0/6000000", None, 1)
    assert choose([found], Target()) == found


def test_the_newest_timeline_is_followed_unless_another_one_is_named():
    stored = Repository((*segments(4, 5, 6, 7), "00000002.history", *segments(5, 6, timeline=2)))
    (newest,), (first,) = candidates(stored, [BACKUP]), candidates(stored, [BACKUP], 1)
    assert (newest.window.timeline, str(newest.window.end)) == (2, "0/7000000")
    assert (first.window.timeline, str(first.window.end)) == (1, "0/8000000")


def test_a_backup_whose_own_wal_is_gone_is_of_no_use_as_it_has_none_in_itself():
    stored = Repository(segments(3, 5, 6))
    (found,) = candidates(stored, [BACKUP])
    assert (str(found.window.end), found.window.gap.name) == ("0/4000000", segments(4)[0])
    with pytest.raises(WalGap, match=BACKUP.id):
        choose([found], Target())
    (held,) = held_archives(stored, None)
    assert [problem.message for problem in gap_problems([held])] == [f"the archive lacks {segments(4)[0]}"]


def test_plain_files_have_the_wal_of_their_own_time():
    (found,) = candidates(Repository(segments(3, 5, 6)), [replace(BACKUP, engine="native")])
    assert (str(found.window.end), found.window.gap) == ("0/7000000", None)
