"""What the receiver of WAL changes in the sizing: nothing where there is none."""

import pytest

from profiles import changed, sized
from stackctl.hardware.model import Wal

MODES = {mode: sized(changed(wal=mode)) for mode in Wal}


def _limit(sizing, role):
    return next(each.connection_limit for each in sizing.roles if each.name == role)


@pytest.mark.parametrize(("mode", "mebibytes"), [(Wal.ARCHIVE, None), (Wal.STREAM, 64), (Wal.SYNC, 64)])
def test_its_share_comes_from_the_servers(mode, mebibytes):
    mine, archive = MODES[mode], MODES[Wal.ARCHIVE]
    share = mine.share("receiver")
    assert (share and share.memory) == (mebibytes and mebibytes * 2**20)
    taken = archive.share("postgres").memory - mine.share("postgres").memory
    assert taken == (mebibytes or 0) * 2**20


def test_a_backup_beside_it_finds_connections():
    """5 for the role, 2 more for the stream and for a look at the slot; a tiny server has senders for all of them."""
    assert [_limit(MODES[mode], "backup") for mode in Wal] == [5, 7, 7]
    tiny = [sized(changed(ram_mib=1024, wal=mode)) for mode in (Wal.ARCHIVE, Wal.STREAM)]
    assert [(each.value("max_wal_senders"), _limit(each, "backup")) for each in tiny] == [("3", 2), ("4", 4)]


def test_only_sync_lets_commits_wait():
    with pytest.raises(KeyError):
        MODES[Wal.STREAM].value("synchronous_standby_names")
    assert MODES[Wal.SYNC].value("synchronous_standby_names") == "stackctl_receiver"


@pytest.mark.parametrize(
    ("mode", "pins", "refused"),
    [
        (Wal.SYNC, {"synchronous_commit": "on"}, []),
        (Wal.SYNC, {"synchronous_commit": "local"}, ["synchronous_commit"]),
        (Wal.SYNC, {"synchronous_commit": "remote_apply"}, ["synchronous_commit"]),
        (Wal.SYNC, {"synchronous_standby_names": "elsewhere"}, ["synchronous_standby_names"]),
        (Wal.STREAM, {"synchronous_commit": "local"}, []),
        (Wal.STREAM, {"max_wal_senders": "0"}, ["max_wal_senders"]),
        (Wal.STREAM, {"max_replication_slots": "0"}, ["max_replication_slots"]),
        (Wal.ARCHIVE, {"max_replication_slots": "0"}, []),
    ],
)
def test_pins_that_break_the_promise(mode, pins, refused):
    warnings = sized(changed(wal=mode), **pins).warnings
    assert [each.message.split(" ")[0] for each in warnings if each.code == "dangerous"] == refused
