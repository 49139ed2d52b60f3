"""Backups while something goes wrong: killed, no space, a damaged page, a place that cannot be used, two runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archived_stack import archived
from e2e.stack.conftest import OLDEST
from own_repository import configured, listed
from running_stack import Stack, alive, eventually
from stackctl.backup.repository import Repository

pytestmark = pytest.mark.parametrize("engine", ["embedded", OLDEST], indirect=True)


def backup(stack: Stack) -> str:
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    identifier: str = done.data["id"]
    return identifier


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that have to do with the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and alive(int(entry.name)):
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_backup_is_none_and_the_next_run_cleans(stack: Stack, place: Path, ended_by: signal.Signals) -> None:
    good = backup(stack)
    for _ in range(10):
        process = stack.start("backup")
        eventually(lambda: list(place.glob("backups/.new-*/data/*")), 60, "files are copied")
        process.send_signal(ended_by)
        process.communicate(timeout=120)
        if process.returncode != 0:
            break
    assert process.returncode == (-signal.SIGKILL if ended_by is signal.SIGKILL else 130)
    before = listed(stack)
    assert good in before
    done = stack.run("backup", "--json")
    assert done.code == 0, done.said
    assert listed(stack) == [*before, done.data["id"]]
    assert [path.name for path in (place / "backups").iterdir() if path.name.startswith(".")] == []
    assert processes_in(place) == []
    assert stack.run("backup", "verify").code == 0


@pytest.fixture(params=["20m"])
def small_disk(place: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The repository on a disk of its own, by itself with room for half of the data."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param},mode=755", "small", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.full_on(OLDEST)
def test_a_copy_that_cannot_fit_is_not_begun(stack: Stack, small_disk: Path) -> None:
    done = stack.run("backup", "--json")
    assert (done.code, done.document["errors"][0]["code"]) == (40, "no_room"), done.said
    assert (listed(stack), list((small_disk / "backups").iterdir())) == ([], [])
    assert stack.run("backup", "--logical").code == 0, "what fits can be taken"


@pytest.mark.parametrize("small_disk", ["400m"], indirect=True)
def test_a_full_disk_leaves_no_backup_and_its_space_is_free_again(stack: Stack, small_disk: Path) -> None:
    """There is room for the databases, and not for the WAL beside them."""
    size = int(stack.sql("SELECT sum(pg_database_size(oid)) FROM pg_database"))
    fill(small_disk, size + 4 * 2**20)
    done = stack.run("backup", "--json")
    assert done.code == 40, done.said
    assert "No space left on device" in done.document["errors"][0]["message"], done.said
    assert listed(stack) == []
    assert list((small_disk / "backups").iterdir()) == []


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - left)


@pytest.mark.full_on(OLDEST)
@pytest.mark.parametrize("small_disk", ["400m"], indirect=True)
def test_a_disk_that_a_copy_would_fill_is_told_and_nothing_is_left_on_it(
    stack: Stack, small_disk: Path, tmp_path: Path
) -> None:
    assert stack.run("backup").code == 0
    fill(small_disk, 20 * 2**20)
    done = stack.run("restore", "--into", str(tmp_path / "copy"), "--json")
    (error,) = done.document["errors"]
    assert (done.code, error["code"]) == (20, "disk_full"), done.said
    assert str(small_disk) in error["message"]
    assert list(small_disk.glob(".restore-*")) == []


def test_a_damaged_page_of_the_live_data_is_told_and_older_backups_stay(stack: Stack, place: Path) -> None:
    stack.sql("CREATE TABLE victim AS SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 1000) n")
    # Nobody writes the page again over the damage.
    stack.sql("VACUUM FREEZE victim")
    stack.sql("CHECKPOINT")
    good = backup(stack)
    (data,) = [path for path in (stack.home / "data").iterdir() if (path / "PG_VERSION").exists()]
    page = data / stack.sql("SELECT pg_relation_filepath('victim')")
    content = page.read_bytes()
    try:
        # The server counts what a backup meets only where a file has two of them.
        page.write_bytes(bytes(byte ^ 0xFF if at in (8000, 16_000) else byte for at, byte in enumerate(content)))
        done = stack.run("backup", "--json")
        assert done.code == 40, done.said
        assert "checksum" in done.said
        assert listed(stack) == [good]
        (check,) = (each for each in stack.run("health", "--json").data["checks"] if each["id"] == "checksums")
        assert (check["status"], "in app" in check["evidence"]) == ("fail", True), check
        with configured(stack, repository=str(place), recovery_window="0d", redundancy=1, minimum=1):
            assert stack.run("backup", "expire", "--apply").code == 0
            assert listed(stack) == [good]
    finally:
        page.write_bytes(content)
        stack.sql("DROP TABLE victim")
        # As the runbook says, where there is nothing to restore.
        stack.sql("SELECT pg_stat_reset()")
    assert "no damaged page was met" in stack.run("health").said


@pytest.mark.full_on(OLDEST)
def test_whoever_comes_second_is_refused_at_once(stack: Stack, place: Path, tmp_path: Path) -> None:
    identifier = backup(stack)
    commands = [
        ("backup",),
        ("backup", "--logical"),
        ("backup", "verify"),
        ("backup", "drill"),
        ("backup", "expire", "--apply"),
        ("backup", "keep", identifier, "--reason", "audit"),
        ("restore", "--into", str(tmp_path / "new")),
    ]
    with Repository(place).locked("stackctl backup"):
        for words in commands:
            done = stack.run(*words)
            assert (done.code, f"process {os.getpid()}" in done.said) == (44, True), (words, done.said)
        assert stack.run("backup", "expire").code == 0, "only looking needs no lock"
    assert stack.run("backup", "verify").code == 0


@pytest.mark.full_on(OLDEST)
def test_expire_shows_first_keeps_what_it_must_and_deletes_the_rest(stack: Stack, place: Path) -> None:
    first, second, third, fourth = (backup(stack) for _ in range(4))
    system = stack.run("backup", "show", first, "--json").data["system"]
    archive = place / "wal" / system
    archive.mkdir(exist_ok=True)
    (archive / "000000010000000000000000-4294967295-0").touch()
    assert stack.run("backup", "keep", first, "--reason", "before the merger").code == 0
    with configured(stack, repository=str(place), recovery_window="0d", redundancy=1, minimum=2):
        shown = stack.run("backup", "expire", "--json").data
        assert [entry["id"] for entry in shown["expired"]] == [second]
        reasons = {entry["id"]: entry["reason"] for entry in shown["kept"]}
        assert reasons[first] == "kept: before the merger"
        assert reasons[third] == "never fewer than 2 good backups"
        assert listed(stack) == [first, second, third, fourth], "nothing was deleted"
        assert shown["wal"]["files"] >= 1
        done = stack.run("backup", "expire", "--apply", "--json")
        assert (done.data["applied"], done.data["bytes"]) == (True, shown["bytes"])
        assert listed(stack) == [first, third, fourth]
        assert not (archive / "000000010000000000000000-4294967295-0").exists()
        assert stack.run("backup", "keep", first, "--release").code == 0
        assert stack.run("backup", "expire", "--apply").code == 0
        assert listed(stack) == [third, fourth]
        assert stack.run("backup", "verify").code == 0


@pytest.mark.full_on(OLDEST)
def test_status_says_what_to_do_next(stack: Stack, place: Path) -> None:
    nothing = stack.run("backup", "status", "--json").data
    assert (nothing["backups"], nothing["newest"]) == (0, None)
    assert nothing["advice"][0] == "stackctl backup: there is no good one"
    identifier = backup(stack)
    found = stack.run("backup", "status", "--json").data
    assert (found["newest"], found["repository"]) == (identifier, str(place))
    assert 0 <= found["age_seconds"] < 300
    assert found["drilled_at"] is None
    assert any("stackctl backup drill" in sentence for sentence in found["advice"])
    assert found["policy"]["recovery_window_seconds"] == 1_209_600


@pytest.mark.full_on(OLDEST)
def test_a_place_that_the_account_cannot_reach_is_named(stack: Stack, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("without root, programs run as the operator, who reaches what they made")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    blocking = next(path for path in (*reversed(closed.parents), closed) if not path.stat().st_mode & 0o001)
    with configured(stack, repository=str(closed / "repository")):
        done = stack.run("backup", "--json")
    assert done.code == 10, done.said
    assert f"{blocking}: the account" in done.document["errors"][0]["message"]


@pytest.mark.full_on(OLDEST)
def test_a_place_that_is_open_to_others_is_refused(stack: Stack, place: Path) -> None:
    identifier = backup(stack)
    (place / "backups").chmod(0o755)
    done = stack.run("backup")
    assert (done.code, "is open to everybody" in done.said) == (10, True), done.said
    assert listed(stack) == [identifier]


@pytest.mark.full_on(OLDEST)
def test_a_fault_elsewhere_in_the_file_stops_no_backup_and_one_in_the_section_does(stack: Stack, place: Path) -> None:
    try:
        stack.write(backup={"repository": str(place)}, profile={"ram": "lots"})
        done = stack.run("backup", "--json")
        assert done.code == 0, done.said
        assert "profile.ram" in done.document["warnings"][0]["message"]
        stack.write(backup={"repository": str(place), "minimum": 0})
        for words in (("backup",), ("backup", "expire", "--apply"), ("backup", "list")):
            done = stack.run(*words)
            assert (done.code, "backup.minimum: 0 is outside 1 to 1000" in done.said) == (10, True), done.said
    finally:
        stack.write()


@pytest.fixture
def tablespace(stack: Stack, place: Path) -> Iterator[Path]:
    """Made after a good backup; a folder of the server's account."""
    backup(stack)
    folder = Path(tempfile.mkdtemp(prefix="tablespace-", dir="/var/tmp"))
    owner = Path(f"/proc/{stack.postmaster()}").stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    stack.sql(f"CREATE TABLESPACE elsewhere LOCATION '{folder}'")
    stack.sql("CREATE UNLOGGED TABLE there TABLESPACE elsewhere AS SELECT 'live'::text AS name")
    try:
        archived(stack)
        yield folder
    finally:
        stack.sql("DROP TABLE there")
        stack.sql("DROP TABLESPACE elsewhere")
        # What a crash would replay must not need the folder.
        stack.sql("CHECKPOINT")
        shutil.rmtree(folder)


@pytest.mark.full_on(OLDEST)
def test_tablespaces_are_refused_and_no_copy_writes_into_those_of_the_stack(stack: Stack, tablespace: Path) -> None:
    done = stack.run("backup")
    assert (done.code, f"elsewhere in {tablespace}" in done.said) == (40, True), done.said
    drill = stack.run("backup", "drill", seconds=600)
    assert (drill.code, str(tablespace) in drill.said) == (20, True), drill.said
    (status,) = {each["status"] for each in stack.run("backup", "list", "--json").data["backups"]}
    assert (status, stack.sql("SELECT name FROM there")) == ("ok", "live")
    assert stack.run("backup", "--logical").code == 0
