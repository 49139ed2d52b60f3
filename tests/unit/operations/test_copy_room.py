"""What is kept free for the database on the disk that a backup is copied to."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.errors import BackupFailed
from stackctl.hardware.detect import free_disk
from stackctl.operations import copy_room
from stackctl.operations.copy_room import kept_free, refuse_without_room
from stackctl.units import GIB, MIB, Bytes

OURS = "sh /etc/stackctl/postgres/archive-wal /srv/wal %p %f 120 {}"
PUSHED = "sh /etc/stackctl/postgres/push-wal %p %f 120 {} - /var/spool/out pgbackrest --stanza=shop archive-push %p"


class Server:
    """An engine with its data at `place` and so much ballast."""

    def __init__(self, place, command, held=0, name="embedded"):
        self.place, self.command, self.amount, self.name = place, command, held, name

    def data_place(self):
        return self.place

    def query(self, _sql):
        return [{"command": self.command}]

    def ballast(self):
        assert self.name != "inside"
        return SimpleNamespace(held=lambda: Bytes(self.amount))


@pytest.fixture
def free(monkeypatch):
    """Says how much is free on every disk."""
    monkeypatch.setattr(copy_room, "total_disk", lambda _: Bytes(20 * GIB))
    return lambda size: monkeypatch.setattr(copy_room, "free_disk", lambda _: Bytes(size))


@pytest.mark.parametrize("ours", [OURS, PUSHED])
def test_on_the_disk_of_the_data_reserve_and_ballast_stay_free(tmp_path, ours):
    """A twentieth of 20 GiB, and a hundredth in whole MiB, as far as that is not held back already."""
    ballast = 204 * MIB
    command = ours.format(MIB)
    assert kept_free(Server(tmp_path, command), tmp_path) == GIB + ballast
    assert kept_free(Server(tmp_path, command, held=ballast), tmp_path) == GIB
    assert kept_free(Server(tmp_path, command, held=2 * ballast), tmp_path) == GIB


def test_on_another_disk_and_without_our_archive_nothing_does(tmp_path):
    assert kept_free(Server(Path("/proc"), OURS.format(MIB)), tmp_path) == 0
    for command in ("", "(disabled)", "pgbackrest archive-push %p"):
        assert kept_free(Server(tmp_path, command), tmp_path) == 0


def test_where_nobody_can_tell_whose_disk_it_is_the_reserve_is_a_part_of_this_one(tmp_path, free):
    free(0)
    assert kept_free(Server(Path("/"), OURS.format(8 * MIB), name="inside"), tmp_path) == GIB
    assert kept_free(Server(Path("/"), OURS.format(MIB // 2), name="inside"), tmp_path) == GIB // 2


def test_a_copy_that_would_take_it_is_refused_with_numbers(tmp_path, free):
    server = Server(tmp_path, OURS.format(MIB), held=GIB)
    free(5 * GIB)
    refuse_without_room(server, tmp_path, 4 * GIB)
    with pytest.raises(BackupFailed, match=": 5 GiB are free, a copy of the data needs 4 GiB and 1 GiB stay") as no:
        refuse_without_room(server, tmp_path, 4 * GIB + 1)
    assert (no.value.exit_code, no.value.problems[0].code) == (40, "no_room")
    free(GIB - 1)
    with pytest.raises(BackupFailed, match="are free, 1 GiB stay free for the database"):
        refuse_without_room(server, tmp_path)


def test_a_full_disk_without_any_reserve_is_found_by_the_copy(tmp_path):
    refuse_without_room(Server(Path("/proc"), ""), tmp_path)
    with pytest.raises(BackupFailed, match="a copy of the data needs"):
        refuse_without_room(Server(Path("/proc"), ""), tmp_path, free_disk(tmp_path) + 10 * GIB)
