"""What every backup engine must do: one suite, run against each of them and each kind of repository."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.stack.test_embedded import python_for
from object_store import ObjectStore, make_store
from restored import program, rows
from running_stack import Done, Stack, docker, eventually

# Plain files on Docker have tests of their own; a folder of pgBackRest has one below, which does less.
KINDS = (
    "native-embedded",
    "pgbackrest-s3",
    pytest.param("native-docker", marks=pytest.mark.full),
    pytest.param("pgbackrest-folder", marks=pytest.mark.full),
)


@dataclass
class Kept:
    """A stack whose backups are taken by one engine, the backup that all tests look at, and its files on this disk."""

    stack: Stack
    engine: str
    root: Path
    taken: dict[str, Any]
    settings: dict[str, Any]
    store: ObjectStore | None = None

    def look_again(self) -> None:
        """A store may remember which files there were."""
        if self.store is not None:
            self.store.look_again()

    def run(self, *words: str) -> Done:
        return self.stack.run(*words, "--json")

    @contextmanager
    def asking(self, questions: dict[str, str] | None = None, **policy: Any) -> Iterator[None]:
        """With queries for drills, and with a policy, in the project file."""
        more = {"drill_sql": questions} if questions else {}
        self.stack.write(backup={**self.settings, **more, **policy})
        try:
            yield
        finally:
            self.stack.write(backup=self.settings)

    def backup_file(self) -> Path:
        """The largest file of the backup: it holds the database's own."""
        folder = "backups" if self.engine == "native" else f"backup/{self.stack.name}"
        files = [path for path in (self.root / folder / self.taken["id"]).rglob("*") if path.is_file()]
        return max(files, key=lambda path: path.stat().st_size)

    def segment(self, name: str) -> Path:
        """The file of an archived segment."""
        folder = "wal" if self.engine == "native" else f"archive/{self.stack.name}"
        (found,) = (self.root / folder).rglob(f"{name}-*")
        return found

    def archived(self) -> str:
        """Close a segment that has something in it, wait until it is archived, and give back its name."""
        name = self.stack.sql(
            "SELECT pg_walfile_name(pg_logical_emit_message(true, 'test', 'x')); SELECT pg_switch_wal()"
        ).splitlines()[0]
        done = f"SELECT last_archived_wal >= '{name}' FROM pg_stat_archiver"
        eventually(lambda: self.stack.sql(done) == "t", 120, f"{name} is archived")
        return name


@pytest.fixture(scope="module", params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    engine, kind = request.param.split("-")
    if request.param != "native-embedded":
        request.getfixturevalue("docker_engine")
    stack = Stack(tmp_path_factory.mktemp(request.param), "embedded" if kind == "embedded" else "docker")
    store = None
    try:
        if kind == "s3":
            store = make_store(tmp_path_factory.mktemp("store"), "backups")
            store.start()
        settings = {"engine": engine} if store is None else store.settings("backups", "shop")
        stack.write(backup=settings)
        stack.up()
        stack.add_tools("before the backup")
        done = stack.run("backup", "--json")
        assert done.code == 0, done.said
        yield Kept(stack, engine, _root(stack, engine, store), done.data, settings, store)
    finally:
        stack.remove()
        if store is not None:
            store.stop()


def _root(stack: Stack, engine: str, store: ObjectStore | None) -> Path:
    if store is not None:
        return store.objects / "backups" / "shop"
    if stack.engine == "embedded":
        return stack.home.with_name(f"{stack.home.name}.backups")
    return stack.folder / "backups" / ("pgbackrest" if engine == "pgbackrest" else "")


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """One byte in the middle of the file is another one, for a while."""
    good = path.read_bytes()
    middle = len(good) // 2
    path.write_bytes(good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :])
    try:
        yield
    finally:
        path.write_bytes(good)


def test_what_is_known_of_a_backup(kept: Kept) -> None:
    taken, stack = kept.taken, kept.stack
    assert (taken["kind"], taken["engine"], taken["status"]) == ("full", kept.engine, "ok")
    assert taken["started_at"] <= taken["finished_at"] <= taken["verified_at"]
    assert taken["system"] == stack.sql("SELECT system_identifier FROM pg_control_system()")
    assert taken["id"] in taken["path"]
    assert taken["bytes"] > 100_000
    start, stop = (f"'{taken[name]}'::pg_lsn" for name in ("wal_start", "wal_stop"))
    assert stack.sql(f"SELECT {start} < {stop} AND {stop} <= pg_current_wal_lsn()") == "t"
    listed = kept.run("backup", "list").data["backups"]
    assert [backup["id"] for backup in listed] == [taken["id"]]
    assert kept.run("backup", "show", taken["id"]).data == listed[0]
    assert kept.run("backup", "show", "000009").code == 2


def test_it_is_restored_into_a_folder(kept: Kept, open_place: Path) -> None:
    """To its own end, and to the end of all that was archived since."""
    kept.stack.add_tools("after the backup")
    kept.archived()
    only = ["--backup", kept.taken["id"], "--to", f"lsn:{kept.taken['wal_stop']}"]
    for words, names in ((only, {"before the backup"}), ([], {"before the backup", "after the backup"})):
        into = open_place / f"copy {len(words)}"
        done = kept.run("restore", *words, "--into", str(into))
        assert done.code == 0, done.said
        assert done.data["backup"] == kept.taken["id"]
        assert not (into / "recovery.signal").exists()
        assert program(kept.stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
        assert rows(kept.stack, into) == names
    assert {"before the backup", "after the backup"} <= kept.stack.tools(), "the live data is as it was"
    assert [path.name for path in open_place.iterdir() if path.name.startswith(".")] == []


def test_a_moment_between_two_commits(kept: Kept, open_place: Path) -> None:
    kept.stack.add_tools("before the moment")
    moment = kept.stack.sql("SELECT now()")
    kept.stack.add_tools("after the moment")
    kept.archived()
    done = kept.run("restore", "--to", moment, "--into", str(open_place / "copy"))
    assert done.code == 0, done.said
    found = rows(kept.stack, open_place / "copy")
    assert "before the moment" in found
    assert "after the moment" not in found


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--to", "2026-03-01 12:00"], 42, "has no time zone"),
        (["--to", "2001-01-01T00:00:00Z"], 42, "is before the oldest backup"),
        (["--to", "2099-01-01T00:00:00Z"], 42, "is not before the last archived commit"),
        (["--to", "lsn:FFFF/0"], 42, "archived WAL ends at"),
        (["--backup", "000009"], 2, "there is no backup '000009'"),
    ],
)
def test_a_restore_refuses_what_it_cannot_be(
    kept: Kept, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    done = kept.stack.run("restore", *words, "--into", str(tmp_path / "copy"))
    assert (done.code, sentence in done.said) == (code, True), done.said
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_byte_is_found_and_such_a_backup_is_not_restored(kept: Kept, tmp_path: Path) -> None:
    with flipped(kept.backup_file()):
        done = kept.run("backup", "verify")
        assert done.code == 41, done.said
        assert kept.taken["id"] in [finding["what"] for finding in done.data["findings"]]
        assert kept.run("backup", "list").data["backups"][0]["status"] == "damaged"
        assert kept.run("restore", "--into", str(tmp_path / "copy")).code == 42
    assert kept.run("backup", "verify").code == 0
    assert kept.run("backup", "list").data["backups"][0]["status"] == "ok"


def test_archived_wal_is_read_too(kept: Kept, open_place: Path) -> None:
    """A damaged segment is named by `wal verify`, and ends no recovery early without a word.

    It is full of what does not compress: of a flipped byte in that, most programs make other bytes and no error.
    """
    kept.stack.sql(
        "SELECT length(pg_logical_emit_message(true, 'noise', string_agg(md5(random()::text || n), ''))::text) "
        "FROM generate_series(1, 300000) n"
    )
    kept.stack.add_tools("behind the damage")
    segment = kept.archived()
    kept.archived()
    assert kept.run("wal", "verify").code == 0
    with flipped(kept.segment(segment)):
        done = kept.run("wal", "verify")
        assert (done.code, segment in done.said) == (41, True), done.said
        done = kept.run("restore", "--into", str(open_place / "copy"))
        assert done.code == 41, done.said
        assert segment in done.said
    assert list(open_place.iterdir()) == []


def test_a_missing_segment_is_a_gap(kept: Kept, tmp_path: Path) -> None:
    kept.archived()
    segment = kept.archived()
    kept.archived()
    status = kept.run("wal", "status")
    assert [window["gap"] for window in status.data["windows"]] == [None], status.said
    path = kept.segment(segment)
    away = shutil.move(path, tmp_path)
    kept.look_again()
    try:
        done = kept.run("wal", "status")
        assert [gap["first"] for archive in done.data["archives"] for gap in archive["gaps"]] == [segment]
        assert [window["gap"] for window in done.data["windows"]] == [segment]
        assert kept.run("wal", "verify").code == 43
        assert kept.run("restore", "--into", str(tmp_path / "copy")).code == 43
    finally:
        shutil.move(away, path)
        kept.look_again()
    assert kept.run("wal", "verify").code == 0


def at_work(stack: Stack) -> bool:
    """Whether pgBackRest takes a backup in the database's container."""
    done = docker("exec", stack.container("postgres"), "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    return "pgbackrest" in done.out and " backup " in done.out


def begun(kept: Kept) -> subprocess.Popen[str]:
    """A backup that is copying."""
    process = kept.stack.start("backup", "--json")
    assert process.stderr is not None
    assert any("copying to" in line for line in process.stderr)
    if kept.engine == "pgbackrest":
        eventually(lambda: at_work(kept.stack), 60, "it is at work")
    return process


def test_an_interrupted_backup_is_none(kept: Kept) -> None:
    """One that was faster than the signal is another one's turn."""
    for _ in range(5):
        before = kept.run("backup", "list").data["backups"]
        process = begun(kept)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        if process.returncode != 0:
            break
    assert process.returncode == 130, out
    assert kept.run("backup", "list").data["backups"] == before
    assert kept.engine == "native" or not at_work(kept.stack)


def test_one_run_at_a_time(kept: Kept) -> None:
    process = begun(kept)
    # It keeps the lock for as long as the others take.
    process.send_signal(signal.SIGSTOP)
    for words in (["backup"], ["backup", "keep", kept.taken["id"], "--reason", "x"], ["backup", "expire", "--apply"]):
        assert kept.run(*words).code == 44, words
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, (out, err)


def test_what_a_killed_backup_left_takes_nothing_back(kept: Kept) -> None:
    """Fault 12: a program that goes on without us would write its list of backups over what is noted meanwhile.

    One that is done before it can be ended is a backup like any other, and another one's turn.
    """
    for _ in range(5):
        before = kept.run("backup", "list").data["backups"]
        process = begun(kept)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        done = kept.run("backup", "keep", kept.taken["id"], "--reason", "before the merger")
        assert done.code == 0, done.said
        assert kept.engine == "native" or not at_work(kept.stack)
        listed = kept.run("backup", "list").data["backups"]
        if len(listed) == len(before):
            break
    assert [each["id"] for each in listed] == [each["id"] for each in before]
    if kept.engine == "pgbackrest":
        assert "ended what an interrupted run had left at work" in done.err
    after = kept.run("backup")
    assert after.code == 0, after.said
    assert kept.run("backup", "show", kept.taken["id"]).data["kept"] == "before the merger"
    assert kept.run("backup", "keep", kept.taken["id"], "--release").code == 0


@contextmanager
def mount_point(folder: Path) -> Iterator[Path]:
    """A folder that no other can be moved to the place of; only root can make one."""
    folder.mkdir()
    if os.geteuid() == 0:
        subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        yield folder
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_killed_restore_is_cleaned_up(kept: Kept, open_place: Path) -> None:
    """The copy, which may fill the disk, and the server on it; by the same command too, though it lies in its way."""
    with mount_point(open_place / "disk") as into:
        process = kept.stack.start("restore", "--into", str(into))
        assert process.stderr is not None
        assert any("starting the copy" in line for line in process.stderr)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        done = kept.run("restore", "--into", str(into))
        assert done.code == 0, done.said
        assert "removed what an interrupted run left" in done.err
        assert list(open_place.rglob(".restore-*")) == []
        assert (into / "PG_VERSION").exists()
    if kept.stack.engine == "docker":
        assert docker("ps", "--all", "--quiet", "--filter", f"name=^{kept.stack.name}-copy-").out == ""


def test_a_stopped_stack_still_has_its_backups(kept: Kept, open_place: Path) -> None:
    """What needs no server works without one; what needs one says so."""
    kept.stack.add_tools("before it was stopped")
    kept.archived()
    assert kept.stack.run("down").code == 0
    try:
        listed = kept.run("backup", "list").data["backups"]
        assert kept.taken["id"] in [each["id"] for each in listed]
        for words in (
            ("backup", "show", kept.taken["id"]),
            ("backup", "verify", kept.taken["id"]),
            ("backup", "status"),
            ("backup", "keep", kept.taken["id"], "--reason", "while it is down"),
            ("backup", "keep", kept.taken["id"], "--release"),
            ("backup", "expire"),
            ("wal", "status"),
            ("wal", "verify"),
        ):
            done = kept.run(*words)
            assert done.code == 0, (words, done.said)
            assert "of which cluster the stack's data is" not in done.said, words
        drilled = kept.run("backup", "drill")
        assert (drilled.code, drilled.data["passed"]) == (0, True), drilled.said
        into = open_place / "copy"
        done = kept.run("restore", "--into", str(into))
        assert done.code == 0, done.said
        refused = kept.run("backup")
        assert (refused.code, refused.document["errors"][0]["hint"] != "") == (40, True), refused.said
        dumped = kept.run("backup", "--logical")
        assert dumped.code == (2 if kept.settings.get("encryption") else 40), dumped.said
    finally:
        kept.stack.up()
    assert "before it was stopped" in rows(kept.stack, into)


def test_an_incremental_one_builds_on_the_last(kept: Kept, open_place: Path) -> None:
    full = kept.run("backup", "list").data["backups"][-1]
    if not kept.stack.incremental():
        pytest.skip("before PostgreSQL 17 there are no incremental backups")
    kept.stack.add_tools("in the incremental one")
    kept.stack.sql("SELECT pg_create_restore_point('between them')")
    done = kept.run("backup", "--incremental")
    assert done.code == 0, done.said
    assert (done.data["kind"], done.data["parent"]) == ("incremental", full["id"])
    assert done.data["bytes"] < full["bytes"]
    kept.stack.sql("SELECT pg_create_restore_point('behind both')")
    kept.archived()
    for name, backup in (("between them", full["id"]), ("behind both", done.data["id"])):
        shown = kept.run("restore", "--to", f"name:{name}", "--dry-run")
        assert (shown.code, shown.data["plan"]["backup"]) == (0, backup), shown.said
    last = datetime.fromisoformat(kept.run("restore", "--dry-run").data["plan"]["lost_after"])
    assert last >= datetime.fromisoformat(done.data["finished_at"])
    later = kept.run("restore", "--to", (last + timedelta(hours=1)).isoformat(), "--dry-run")
    assert (later.code, "is not before the last archived commit" in later.said) == (42, True), later.said
    assert list(kept.stack.private.rglob(".restore-*")) == []
    into = open_place / "copy"
    restored = kept.run("restore", "--into", str(into))
    assert restored.code == 0, restored.said
    assert restored.data["backup"] == done.data["id"]
    assert rows(kept.stack, into) == kept.stack.tools()


def test_a_backup_is_drilled_and_it_is_recorded(kept: Kept) -> None:
    """The chain of the full backup and the incremental one, from wherever they are."""
    name = "in the incremental one" if kept.stack.incremental() else "before it was stopped"
    with kept.asking({"the_tool_is_there": f"SELECT count(*) = 1 FROM tools WHERE name = '{name}'"}):
        done = kept.run("backup", "drill")
    assert done.code == 0, done.said
    assert {"bytes", "starts", "checksums", "amcheck", "sql:the_tool_is_there"} <= {
        check["name"] for check in done.data["checks"]
    }
    shown = kept.run("backup", "show", done.data["backup"]).data
    kind = "incremental" if kept.stack.incremental() else "full"
    assert (shown["kind"], shown["rto_seconds"]) == (kind, done.data["rto_seconds"])
    assert shown["drilled_at"] is not None
    status = kept.run("backup", "status").data
    assert (status["drilled_at"], status["newest"], status["damaged"]) == (shown["drilled_at"], shown["id"], 0)


def test_what_is_kept_stays_and_what_is_past_its_time_goes(kept: Kept, open_place: Path) -> None:
    """The last test, as it leaves one backup."""
    first, newest = kept.run("backup", "list").data["backups"][0], kept.run("backup").data
    assert kept.run("backup", "keep", first["id"], "--reason", "before the merger").code == 0
    with kept.asking(recovery_window="0h", redundancy=1, minimum=1):
        shown = kept.run("backup", "expire")
        assert {first["id"], newest["id"]} == {each["id"] for each in shown.data["kept"]}, shown.said
        before = {each["id"] for each in kept.run("backup", "list").data["backups"]}
        assert {each["id"] for each in shown.data["expired"]} == before - {first["id"], newest["id"]}
        assert kept.run("backup", "expire", "--apply").code == 0
        assert {each["id"] for each in kept.run("backup", "list").data["backups"]} == {first["id"], newest["id"]}
        assert kept.run("backup", "keep", first["id"], "--release").code == 0
        done = kept.run("backup", "expire", "--apply")
        assert ([each["id"] for each in done.data["expired"]], done.data["wal"]["files"] > 0) == ([first["id"]], True)
        again = kept.run("backup", "expire")
        assert (again.data["expired"], again.data["wal"]["files"]) == ([], 0), again.said
    assert [each["id"] for each in kept.run("backup", "list").data["backups"]] == [newest["id"]]
    assert kept.run("backup", "verify").code == 0
    restored = kept.run("restore", "--into", str(open_place / "copy"))
    assert restored.code == 0, restored.said
    assert rows(kept.stack, open_place / "copy") == kept.stack.tools()


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs the tests above as such an operator")
@pytest.mark.full
def test_a_folder_of_pgbackrest_of_an_operator_who_is_not_root(docker_engine: None) -> None:
    """What is in it belongs to the account in the container; notes are made and backups deleted all the same."""
    folder = Path(tempfile.mkdtemp(prefix="operator-", dir="/var/tmp"))
    nobody, group = pwd.getpwnam("nobody"), Path("/var/run/docker.sock").stat().st_gid
    user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [group]}
    (folder / "home" / "project").mkdir(parents=True)
    stack = Stack(folder / "home" / "project", "docker", python=python_for(folder / "python", user), user=user)
    stack.variables = {"HOME": str(folder / "home"), "PYTHONPATH": str(folder / "python" / "src" / "control")}
    try:
        folder.chmod(0o755)
        stack.write(backup={"engine": "pgbackrest", "recovery_window": "0h", "redundancy": 1, "minimum": 1})
        for path in (folder / "home", *(folder / "home").rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        stack.up()
        stack.add_tools("before the backup")
        first = stack.run("backup", "--json")
        assert first.code == 0, first.said
        assert first.data["verified_at"] is not None
        for words in (
            ("backup", "verify"),
            ("backup", "drill"),
            ("backup", "keep", first.data["id"], "--reason", "a test"),
            ("backup", "keep", first.data["id"], "--release"),
            ("backup",),
            ("backup", "expire", "--apply"),
            ("restore", "--into", str(folder / "home" / "copy")),
        ):
            done = stack.run(*words, "--json")
            assert done.code == 0, (words, done.said)
        assert len(stack.run("backup", "list", "--json").data["backups"]) == 1
        assert (folder / "home" / "copy" / "PG_VERSION").stat().st_uid == nobody.pw_uid
    finally:
        stack.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.full
def test_a_folder_of_pgbackrest(docker_engine: None, new_stack: Callable[..., Stack], open_place: Path) -> None:
    """In the ordinary run: what differs from an object store, which is where its files are."""
    stack = new_stack("docker")
    stack.write(backup={"engine": "pgbackrest"})
    stack.up()
    stack.add_tools("before the backup")
    taken = stack.run("backup", "--json")
    assert taken.code == 0, taken.said
    assert Path(taken.data["path"]).is_dir()
    assert Path(taken.data["path"]).is_relative_to(stack.folder / "backups" / "pgbackrest")
    status = stack.run("backup", "status", "--json").data
    assert (status["repository"], status["beside_data"]) == (str(stack.folder / "backups" / "pgbackrest"), True)
    done = stack.run("restore", "--into", str(open_place / "copy"), "--json")
    assert done.code == 0, done.said
    assert rows(stack, open_place / "copy") == {"before the backup"}
    fails_for_a_damaged_page(stack, taken.data["id"])
    another_cluster_takes_its_place(stack, taken.data, open_place)


def another_cluster_takes_its_place(stack: Stack, taken: dict[str, Any], place: Path) -> None:
    """In the repository, where its data is destroyed: only once somebody says so, and its backups stay."""
    before = [each["id"] for each in stack.run("backup", "list", "--json").data["backups"]]
    assert stack.run("down", "--destroy-data", "--yes-destroy", stack.name).code == 0
    assert [each["code"] for each in stack.up().document["warnings"] if each["code"] == "repository"] == ["repository"]
    refused = stack.run("backup", "--json")
    assert (refused.code, f"backup --adopt {taken['system']}" in refused.said) == (40, True), refused.said
    assert stack.run("backup", "--adopt", "1").code == 2
    done = stack.run("backup", "--adopt", taken["system"], "--json")
    assert done.code == 0, done.said
    assert done.data["system"] != taken["system"]
    assert [each["id"] for each in stack.run("backup", "list", "--json").data["backups"]] == [*before, done.data["id"]]
    assert stack.run("restore", "--into", str(place / "other")).code == 42
    other = stack.run("restore", "--into", str(place / "other"), "--backup", taken["id"])
    assert other.code == 0, other.said
    assert rows(stack, place / "other") == {"before the backup"}


def fails_for_a_damaged_page(stack: Stack, good: str) -> None:
    """The backup says so and ends with 40; the one before stays good, and `expire` counts on it."""
    stack.sql("CREATE TABLE victim AS SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 1000) n")
    # Nobody writes the page again over the damage.
    stack.sql("VACUUM FREEZE victim")
    stack.sql("CHECKPOINT")
    page = stack.sql("SELECT pg_relation_filepath('victim')")
    stack.sql(f"COPY (SELECT 1) TO PROGRAM 'printf Z | dd of={page} bs=1 seek=8000 conv=notrunc'")
    done = stack.run("backup", "--json")
    assert (done.code, page in done.said) == (40, True), done.said
    listed = stack.run("backup", "list", "--json").data["backups"]
    assert [(each["id"] == good, each["status"]) for each in listed] == [(True, "ok"), (False, "damaged")]
    stack.sql("DROP TABLE victim")
    assert stack.run("backup", "--json").code == 0
