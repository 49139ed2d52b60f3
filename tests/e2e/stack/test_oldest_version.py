"""Backups, archive and recovery of the oldest PostgreSQL that is supported, and the archive's disk full under it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broken_archive import archived, folder, write
from e2e.stack.conftest import OLDEST, on
from restored import program, rows
from running_stack import Stack, eventually


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = on(OLDEST, tmp_path_factory.mktemp("oldest"))
    made.write()
    try:
        made.up()
        assert made.sql("SHOW server_version_num")[:2] == "15"
        made.sql("CREATE TABLE faults (id int)")
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def taken(oldest: Stack) -> dict[str, Any]:
    """A backup, then a row, a named point, a row, all of it archived."""
    done = oldest.run("backup", "--json")
    assert done.code == 0, done.said
    oldest.sql("INSERT INTO faults VALUES (1)")
    oldest.sql("SELECT pg_create_restore_point('between')")
    archived(oldest, write(oldest, 2))
    return done.data


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_an_incremental_backup_is_refused_with_the_reason(oldest: Stack) -> None:
    done = oldest.run("backup", "--incremental")
    assert (done.code, "PostgreSQL 15 has no incremental backups" in done.said) == (40, True), done.said


@pytest.mark.parametrize(("target", "expected"), [("name:between", {"1"}), ("latest", {"1", "2"})])
def test_recovery_ends_where_it_should(
    oldest: Stack, taken: dict[str, Any], place: Path, target: str, expected: set[str]
) -> None:
    into = place / "copy"
    done = oldest.run("restore", "--to", target, "--into", str(into), "--json")
    assert (done.code, done.data.get("backup")) == (0, taken["id"]), done.said
    assert program(oldest, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    assert rows(oldest, into, "faults", "id") == expected


def test_a_damaged_segment_ends_recovery(oldest: Stack, taken: dict[str, Any], place: Path) -> None:
    path = max(folder(oldest).glob("0" * 7 + "1*-*"), key=lambda path: path.name)
    good = path.read_bytes()
    path.write_bytes(good[:70] + bytes([good[70] ^ 1]) + good[71:])
    done = oldest.run("restore", "--into", str(place / "copy"))
    path.write_bytes(good)
    assert (done.code, f"{path.name.split('-')[0]} in the archive is damaged" in done.said) == (41, True), done.said
    assert list(place.iterdir()) == []
    assert oldest.run("backup", "verify").code == 0


@contextmanager
def on_a_small_disk(folder: Path) -> Iterator[None]:
    """The folder on a disk of its own, with room for two files more than it has; then with room for all."""
    owner, used = folder.stat(), sum(path.stat().st_blocks * 512 for path in folder.iterdir())
    keep = folder.with_name(".keep")
    subprocess.run(["cp", "--archive", str(folder), str(keep)], check=True)
    options = f"size={used // 1024 + 33_000}k,uid={owner.st_uid},gid={owner.st_gid},mode=770"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(folder)], check=True)
    try:
        subprocess.run(["cp", "--archive", f"{keep}/.", str(folder)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,size=2g", str(folder)], check=True)
    finally:
        shutil.rmtree(keep)


def fill(stack: Stack) -> str:
    """Write a segment full of what cannot be left out of a file; gives back the name of the next."""
    stack.sql("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1 << 24))")
    return write(stack, 3)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_of_the_archive_is_told_and_catches_up_without_a_gap(oldest: Stack, taken: dict[str, Any]) -> None:
    place = folder(oldest)
    try:
        with on_a_small_disk(place):
            names = [fill(oldest) for _ in range(4)]
            failing = "SELECT failed_count > 0 AND last_failed_time > last_archived_time FROM pg_stat_archiver"
            eventually(lambda: oldest.sql(failing) == "t", 60, "archiving fails")
            assert "No space left on device" in (oldest.home / "logs" / "postgres.log").read_text()
            assert oldest.healthy()
            checks = {each["id"]: each["status"] for each in oldest.run("health", "--json").data["checks"]}
            assert checks["archive"] == "fail"
        for name in names:
            archived(oldest, name)
        assert oldest.run("wal", "verify").code == 0
        assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []
    finally:
        oldest.run("down")
        subprocess.run(["umount", str(place)], check=True)
