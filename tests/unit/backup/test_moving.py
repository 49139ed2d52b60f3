"""What is copied of a folder that somebody else may write to meanwhile, and how a finished copy comes to its place."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.backup.moving import copy_tree, hand_over, landing
from stackctl.backup.repository import Repository
from stackctl.errors import EngineFailed, StackError

SECRET = "of root alone"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "base").mkdir(parents=True)
    (made / "base" / "1").write_bytes(b"rows")
    (made / "base" / "1").chmod(0o600)
    os.utime(made / "base" / "1", ns=(1, 2_000_000_000))
    (made / "link").symlink_to("base/1")
    (tmp_path / "secret").write_text(SECRET)
    return made


def test_all_is_there_with_its_mode_and_time(source: Path, tmp_path: Path) -> None:
    copy_tree(source, tmp_path / "copy")
    one = tmp_path / "copy" / "base" / "1"
    assert one.read_bytes() == b"rows"
    assert (one.stat().st_mode & 0o777, one.stat().st_mtime_ns) == (0o600, 2_000_000_000)
    assert (tmp_path / "copy" / "link").readlink() == Path("base/1")


def link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def pipe(path: Path, _secret: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("becomes", [link, pipe])
def test_what_takes_the_place_of_a_file_is_not_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: Callable[[Path, Path], None]
) -> None:
    real = os.open
    there = source / "base" / "1"

    def swapped(*words: object, **named: object) -> int:
        if str(words[0]) == str(there):
            there.unlink()
            becomes(there, tmp_path / "secret")
        return real(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(StackError):
        copy_tree(source, tmp_path / "copy")
    assert not [path for path in (tmp_path / "copy").rglob("*") if path.is_file() and SECRET in path.read_text()]


def test_a_link_in_the_place_of_the_copy_is_not_written_through(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy" / "base").mkdir(parents=True)
    (tmp_path / "copy" / "base" / "1").symlink_to(tmp_path / "secret")
    with pytest.raises(StackError):
        copy_tree(source, tmp_path / "copy")
    assert (tmp_path / "secret").read_text() == SECRET


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A finished copy in its working folder, and beside it the folder `into`."""
    made = tmp_path / "repository" / ".restore-1" / "data"
    (made / "base" / "1").mkdir(parents=True)
    made.chmod(0o700)
    (made / "PG_VERSION").write_text("18\n")
    (made / "base" / "1" / "16384").write_bytes(b"rows")
    (tmp_path / "into").mkdir()
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    if folder.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the disk of the other files")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def mounted(tmp_path: Path, data: Path) -> Iterator[Path]:
    """`into` as the mount point of an empty disk."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount another disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "other", str(tmp_path / "into")], check=True)
    yield tmp_path / "into"
    subprocess.run(["umount", str(tmp_path / "into")], check=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {"PG_VERSION": b"18\n", "base/1/16384": b"rows"}


def test_an_empty_mount_point_gets_what_is_in_the_copy(data: Path, mounted: Path) -> None:
    assert landing(mounted) == mounted
    hand_over(data, mounted)
    assert files(mounted) == WHOLE
    assert stat.S_IMODE(mounted.stat().st_mode) == 0o700
    assert sorted(path.name for path in mounted.iterdir()) == ["PG_VERSION", "base"]


def test_a_copy_that_was_made_on_the_disk_of_a_mount_point_is_put_there(data: Path, mounted: Path) -> None:
    shutil.move(data.parent, mounted / ".restore-1")
    hand_over(mounted / ".restore-1" / "data", mounted)
    assert files(mounted) == WHOLE


def test_a_disk_that_is_full_in_the_end_costs_no_copy(data: Path, mounted: Path) -> None:
    (data / "large").write_bytes(bytes(2 * 2**20))
    with pytest.raises(EngineFailed, match=r"the disk is full.*; the finished copy is in ") as failed:
        hand_over(data, mounted)
    (kept,) = (data.parent.parent).glob("restored-*")
    assert (failed.value.exit_code, str(kept) in str(failed.value)) == (20, True)
    assert set(files(kept)) == {*WHOLE, "large"}
    assert list(mounted.iterdir()) == []


def unsynced(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Its disk fails when the names in the folder are to be safe."""
    real, number = os.fsync, folder.stat().st_ino

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)


def test_what_is_not_safe_in_a_mount_point_is_taken_back(
    data: Path, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an empty folder would be called the finished copy."""
    shutil.move(data.parent, mounted / ".restore-1")
    unsynced(monkeypatch, mounted)
    with pytest.raises(EngineFailed, match=r"Input/output error; the finished copy is in "):
        hand_over(mounted / ".restore-1" / "data", mounted)
    (kept,) = mounted.glob("restored-*")
    assert files(kept) == WHOLE


def test_nor_is_anything_left_of_it_in_a_folder_on_another_disk(
    data: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsynced(monkeypatch, elsewhere)
    with pytest.raises(EngineFailed, match="the finished copy is in "):
        hand_over(data, elsewhere / "copy")
    (kept,) = (data.parent.parent).glob("restored-*")
    assert (files(kept), list(elsewhere.iterdir())) == (WHOLE, [])


def test_the_second_of_two_restores_into_one_folder_keeps_its_copy(data: Path, tmp_path: Path) -> None:
    """Both found it empty when they began."""
    into = tmp_path / "into"
    (into / "PG_VERSION").write_text("17\n")
    with pytest.raises(EngineFailed, match="not empty; the finished copy is in "):
        hand_over(data, into)
    (kept,) = (tmp_path / "repository").glob("restored-*")
    assert (files(into), files(kept)) == ({"PG_VERSION": b"17\n"}, WHOLE)
    assert Repository(tmp_path / "repository").strangers() == [], "it is no damage of the repository"


def test_what_is_moved_to_another_disk_is_safe_there_before_it_goes(
    data: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut behind it leaves one of both whole."""
    synced: dict[int, bool] = {}
    real = os.fsync

    def watched(number: int) -> None:
        real(number)
        synced[os.fstat(number).st_ino] = data.is_dir()

    monkeypatch.setattr(os, "fsync", watched)
    into = elsewhere / "copy"
    hand_over(data, into)
    assert (files(into), data.exists()) == (WHOLE, False)
    assert all(synced.get(path.stat().st_ino) for path in (elsewhere, into, *into.rglob("*")))
