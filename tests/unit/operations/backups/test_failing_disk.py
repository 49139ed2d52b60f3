"""A repository on a disk that cannot be written, or fails in the middle of the work."""

import errno
import os
import subprocess
from datetime import UTC, datetime

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Repository
from stackctl.errors import EngineFailed
from stackctl.operations import backup
from stackctl.operations.backups.expire import expire_command, keep_command
from stackctl.operations.backups.native import NativeEngine
from stopped_stack import Stopped, stopped

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def read_only(tmp_path):
    """A repository with one backup, whose disk the kernel has made read-only."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(disk)], check=True)
    try:
        made = Repository(disk / "backups")
        made.create()
        identifier, folder = made.begin(Kind.FULL, NOW)
        (folder / "data").mkdir()
        made.finish(folder, Backup(identifier, Kind.FULL, "native", NOW, NOW, 0, 17, "7", "", 1))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield made
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_would_change_it_says_so(tmp_path, monkeypatch, read_only):
    (known,) = read_only.backups()
    given = (stopped(tmp_path, read_only.root, monkeypatch), None)
    for change in (
        lambda: expire_command(*given, print, apply=True, cluster="7"),
        lambda: keep_command(*given, print, known.id, "audit"),
        lambda: backup.verify_command(*given, None, print),
    ):
        with pytest.raises(EngineFailed) as found:
            change()
        assert str(found.value) == f"{read_only.root}/lock: Read-only file system"
        assert "dmesg" in found.value.hint
    assert expire_command(*given, print, apply=False).exit_code == 0, "to look needs no writing"


@pytest.fixture
def native(tmp_path):
    made = Repository(tmp_path / "backups")
    made.create()
    return NativeEngine(Stopped(made.root))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_disk_that_fails_in_the_middle_is_named(native, number):
    # What reads or has a file open is told of no path by the kernel, or of one that is below an open folder.
    said, root = os.strerror(number), native.stored().root
    for path, named in ((f"{root}/wal/7", f"{root}/wal/7"), (None, root), ("000000010000000000000001-1-2", root)):
        with pytest.raises(EngineFailed) as found, native.working("stackctl backup expire", print):
            raise OSError(number, said, path)
        assert (str(found.value), bool(found.value.hint)) == (f"{named}: {said}", True)


def test_another_fault_is_as_it_was(native):
    with pytest.raises(OSError, match="No space left"), native.working("stackctl backup", print):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
