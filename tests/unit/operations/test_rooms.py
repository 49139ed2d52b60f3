"""Room on the disks that a restore needs."""

from pathlib import Path

from stackctl.operations.restoring.rooms import rooms


def needed(*words, **options):
    return [(room.path, room.needed) for room in rooms(*words, **options)]


def test_a_copy_needs_its_room_twice_on_one_disk(tmp_path):
    data = tmp_path / "not there yet"
    assert needed(tmp_path, data, 100, copies=True) == [(str(tmp_path), 200)]
    assert needed(tmp_path, data, 100, copies=False) == [(str(tmp_path), 100)]


def test_two_disks_need_it_once_each(tmp_path):
    assert needed(tmp_path, Path("/proc"), 100, copies=True) == [(str(tmp_path), 100), ("/proc", 100)]


def test_a_folder_that_cannot_be_looked_at_is_left_out(tmp_path):
    far = tmp_path / ("x" * 300)
    assert [path for path, _ in needed(tmp_path, far, 100, copies=True)] == [str(tmp_path)]
