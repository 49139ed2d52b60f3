"""Restores into a folder on another disk, on both engines: whole, and the account's, or not at all."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from restored import program, rows
from running_stack import Stack


@pytest.fixture
def disk(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of so many MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount another disk")
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}m,mode=755", "other", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize("disk", [600], indirect=True)
@pytest.mark.usefixtures("place")
def test_a_copy_on_another_disk_is_the_accounts_too(stack: Stack, disk: Path) -> None:
    stack.add_tools("on another disk")
    assert stack.run("backup").code == 0
    into = disk / "copy"
    planned = stack.run("restore", "--into", str(into), "--dry-run", "--json")
    assert (planned.code, planned.data["steps"], list(disk.iterdir())) == (0, [], []), planned.said
    done = stack.run("restore", "--into", str(into), "--json")
    assert done.code == 0, done.said
    assert done.data["backup"] == planned.data["backup"] == planned.data["plan"]["chain"][-1]
    assert done.data["rpo_seconds"] >= 0
    assert "inspected" in done.data["steps"]
    assert {path.name for path in disk.iterdir()} == {"copy"}
    assert {path.lstat().st_uid for path in into.rglob("*")} == {into.stat().st_uid}
    assert program(stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    assert "on another disk" in rows(stack, into)


@pytest.mark.parametrize("disk", [20], indirect=True)
def test_a_disk_without_room_for_it_stays_empty(stack: Stack, place: Path, disk: Path) -> None:
    assert stack.run("backup").code == 0
    for into in (disk, disk / "copy"):
        planned = stack.run("restore", "--into", str(into), "--dry-run", "--json")
        assert planned.code == 0, planned.said
        (room,) = [each for each in planned.data["plan"]["rooms"] if each["path"] == str(disk)]
        assert room["needed"] > room["free"]
    done = stack.run("restore", "--into", str(disk / "copy"), "--json")
    (error,) = done.document["errors"]
    assert (done.code, error["code"]) == (20, "disk_full"), done.said
    assert str(disk) in error["message"]
    assert list(disk.iterdir()) == []
    assert list(place.glob(".restore-*")) == []
