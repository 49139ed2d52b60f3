"""Backups of a running stack, on both engines: taken, read, damaged, restored."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restored import program, rows
from running_stack import Stack, eventually


@pytest.fixture(scope="module")
def taken(stack: Stack) -> Iterator[dict[str, Any]]:
    """A backup of a stack with some tools in it."""
    stack.add_tools("before the backup")
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    yield done.data
    shutil.rmtree(Path(done.data["path"]).parent)


def test_the_record_of_a_backup(stack: Stack, taken: dict[str, Any]) -> None:
    path = Path(taken["path"])
    assert path.is_absolute()
    assert (path / "data" / "PG_VERSION").exists()
    assert (path / "RESTORE.txt").read_text().startswith(f"Restore {taken['id']} with PostgreSQL")
    assert taken["bytes"] == sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) - (
        (path / "checksums.txt").stat().st_size + (path / "backup.json").stat().st_size
    )
    listed = stack.run("backup", "list", "--json").data["backups"]
    assert [backup["id"] for backup in listed] == [taken["id"]]
    assert stack.run("backup", "show", taken["id"], "--json").data == listed[0]
    control = program(stack, "pg_controldata", str(path / "data"), data=path / "data").out
    assert f"Database system identifier:           {taken['system']}\n" in control
    subprocess.run(["sha256sum", "--check", "--quiet", "checksums.txt"], cwd=path, check=True, capture_output=True)


def test_nothing_of_it_is_open_to_others(taken: dict[str, Any]) -> None:
    for path in (Path(taken["path"]).parents[1], Path(taken["path"]), Path(taken["path"]) / "data"):
        assert path.stat().st_mode & 0o007 == 0, path


def test_no_password_is_left_behind(stack: Stack, taken: dict[str, Any]) -> None:
    password = stack.secret("backup_password").strip()
    files = [path for path in (*stack.private.rglob("*"), *Path(taken["path"]).rglob("*")) if path.is_file()]
    holders = {path.name for path in files if password.encode() in path.read_bytes()}
    assert holders == {"backup_password"}


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Path]:
    """A folder that the server's account can enter, unlike the one that the test's own are in."""
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_backup_is_restored_into_a_folder(
    stack: Stack, taken: dict[str, Any], tmp_path: Path, open_place: Path
) -> None:
    """One that the account cannot even reach; then it is moved to where a server can run on it."""
    stack.add_tools("after the backup")
    into = tmp_path / "the copy"
    only = ["--backup", taken["id"], "--to", f"lsn:{taken['wal_stop']}"]
    done = stack.run("restore", *only, "--into", str(into), "--json")
    assert done.code == 0, done.said
    assert done.data["backup"] == taken["id"]
    assert (into / "PG_VERSION").exists()
    assert not (into / "recovery.signal").exists()
    into = Path(shutil.move(into, open_place))
    assert program(stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    found = rows(stack, into)
    assert "before the backup" in found
    assert "after the backup" not in found
    assert {"before the backup", "after the backup"} <= stack.tools(), "the live data is as it was"
    assert list(Path(taken["path"]).parents[1].glob(".restore-*")) == []


@pytest.mark.full_on("docker")
def test_a_restore_refuses_what_it_cannot_be(stack: Stack, taken: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    refused = {
        ("--into", str(tmp_path / "full")): (42, "is not empty"),
        ("--into", str(tmp_path / "no" / "where")): (42, "is not there"),
        ("--into", str(tmp_path / "new"), "--to", "2026-03-01 12:00"): (42, "has no time zone"),
        ("--into", str(tmp_path / "new"), "--to", "2001-01-01T00:00:00Z"): (42, "is before the oldest backup"),
        ("--into", str(tmp_path / "new"), "--backup", "000009"): (2, "there is no backup '000009'"),
    }
    for words, (code, sentence) in refused.items():
        done = stack.run("restore", *words)
        assert (done.code, sentence in done.said) == (code, True), done.said
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


@pytest.mark.full_on("docker")
def test_one_flipped_byte_is_found_and_such_a_backup_is_not_restored(
    stack: Stack, taken: dict[str, Any], tmp_path: Path
) -> None:
    """In a file that PostgreSQL's own verification passes over."""
    path = Path(taken["path"]) / "data" / "postgresql.auto.conf"
    good = path.read_bytes()
    path.write_bytes(b"x" + good[1:])
    try:
        data = Path(taken["path"]) / "data"
        assert program(stack, "pg_verifybackup", "--no-parse-wal", str(data), data=data).code == 0
        done = stack.run("backup", "verify", "--json")
        assert done.code == 41, done.said
        (finding,) = done.data["findings"]
        assert finding == {
            "what": taken["id"],
            "reason": "data/postgresql.auto.conf: its bytes are not those of the backup",
        }
        assert stack.run("backup", "list", "--json").data["backups"][0]["status"] == "damaged"
        assert stack.run("restore", "--into", str(tmp_path / "new")).code == 42
        named = stack.run("restore", "--backup", taken["id"], "--into", str(tmp_path / "new"))
        assert named.code == 42, named.said
    finally:
        path.write_bytes(good)
    assert stack.run("backup", "verify").code == 0
    assert stack.run("backup", "list", "--json").data["backups"][0]["status"] == "ok"


def test_an_interrupted_backup_leaves_nothing(stack: Stack, taken: dict[str, Any]) -> None:
    folder = Path(taken["path"]).parent
    for _ in range(5):
        process = stack.start("backup", "--json")
        eventually(lambda: list(folder.glob(".new-*/data/*")), 60, "files are copied")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        assert [path.name for path in folder.glob(".new-*")] == []
        if process.returncode != 0:
            break
        # It was faster than the signal.
        shutil.rmtree(stack.run("backup", "list", "--json").data["backups"][-1]["path"])
    assert process.returncode == 130, out
    assert [path.name for path in folder.iterdir()] == [taken["id"]]
