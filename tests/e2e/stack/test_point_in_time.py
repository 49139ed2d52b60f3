"""Recovery to moments between commits, under load, on both engines: what is there is what was committed before."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archived_stack import archived
from restored import program, rows
from running_stack import Done, Stack
from stackctl.engine.beside import beside

COMMITS = 300
# One row for each commit, then a note of the moment between it and the next one.
LEDGER = f"""
DO $$ BEGIN
FOR i IN 1..{COMMITS} LOOP
    INSERT INTO ledger VALUES (i);
    COMMIT;
    INSERT INTO moments VALUES (i, clock_timestamp(), pg_current_wal_insert_lsn());
    IF i = 50 THEN PERFORM pg_create_restore_point('half way'); END IF;
    COMMIT;
    PERFORM pg_sleep(0.005);
END LOOP;
END $$
"""


@dataclass(frozen=True)
class Written:
    """A stack, its backup, and the moment after each commit: time and position."""

    stack: Stack
    backup: dict[str, Any]
    moments: dict[int, tuple[str, str]]

    @property
    def archive(self) -> Path:
        return Path(self.backup["path"]).parents[1] / "wal" / self.backup["system"]


@contextmanager
def load(stack: Stack) -> Iterator[None]:
    """Another writer beside the ledger's."""

    def write(over: threading.Event) -> None:
        number = 0
        while not over.is_set():
            stack.add_tools(f"load {number}")
            number += 1

    with beside(write):
        yield


@pytest.fixture(scope="module")
def written(stack: Stack) -> Iterator[Written]:
    stack.sql("CREATE TABLE ledger (id int)")
    stack.sql("CREATE TABLE moments (id int, moment timestamptz, lsn pg_lsn)")
    with load(stack):
        done = stack.run("backup", "--json")
        assert done.code == 0, done.said
        stack.sql(LEDGER)
    stack.sql("INSERT INTO ledger VALUES (0)")
    archived(stack)
    lines = stack.sql("SET timezone TO 'UTC'; SELECT id, moment, lsn FROM moments").splitlines()
    moments = {int(id_): (moment, lsn) for id_, moment, lsn in (x.split("|") for x in lines if x != "SET")}
    yield Written(stack, done.data, moments)
    stack.sql("DROP TABLE ledger, moments")
    shutil.rmtree(done.data["path"])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def restored(written: Written, target: str, into: Path) -> Done:
    return written.stack.run("restore", "--to", target, "--into", str(into), "--json")


def ledger(written: Written, target: str, into: Path) -> set[int]:
    """The ledger after a restore to `target`; the copy is removed."""
    done = restored(written, target, into)
    assert done.code == 0, done.said
    assert done.data["backup"] == written.backup["id"]
    assert program(written.stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    found = {int(each) for each in rows(written.stack, into, "ledger", "id")}
    shutil.rmtree(into)
    return found


@pytest.mark.full_on("docker")
def test_every_moment_has_what_was_committed_before_it(
    written: Written, place: Path, request: pytest.FixtureRequest
) -> None:
    count = 50 if request.config.getoption("--full") else 3
    for number in random.Random(7).sample(sorted(written.moments), count):
        moment, lsn = written.moments[number]
        target = f"lsn:{lsn}" if number % 2 else moment
        assert ledger(written, target, place / "copy") == set(range(1, number + 1)), target


@pytest.mark.full_on("docker")
def test_a_named_point_and_the_end(written: Written, place: Path) -> None:
    assert ledger(written, "name:half way", place / "copy") == set(range(1, 51))
    assert ledger(written, "latest", place / "copy") == set(range(COMMITS + 1))


def refusal(written: Written, target: str, place: Path) -> tuple[int, str]:
    done = restored(written, target, place / "copy")
    assert list(place.iterdir()) == []
    assert list(written.archive.parents[1].glob(".restore-*")) == []
    return done.code, done.said


@pytest.mark.full_on("docker")
def test_a_target_behind_the_last_commit_is_refused_while_planning(written: Written, place: Path) -> None:
    later = written.stack.sql("SET timezone TO 'UTC'; SELECT now() + interval '1 hour'").splitlines()[-1]
    code, said = refusal(written, later, place)
    assert (code, "is not before the last archived commit" in said) == (42, True), said
    code, said = refusal(written, "lsn:F/0", place)
    assert (code, "the archived WAL ends at" in said) == (42, True), said
    code, said = refusal(written, "name:never made", place)
    assert (code, "no archived WAL has it" in said) == (42, True), said


@pytest.mark.full_on("docker")
def test_a_named_point_before_the_newest_backup_is_reached_from_an_older_one(written: Written, place: Path) -> None:
    """With a point of the same name behind the newest one too, that one is meant."""
    stack = written.stack
    newest = stack.run("backup", "--json").data
    try:
        stack.sql("SELECT pg_create_restore_point('behind it')")
        archived(stack)
        assert ledger(written, "name:half way", place / "copy") == set(range(1, 51))
        done = restored(written, "name:behind it", place / "copy")
        assert (done.code, done.data["backup"]) == (0, newest["id"]), done.said
        shown = stack.run("restore", "--to", "name:half way", "--dry-run", "--json")
        assert (shown.code, shown.data["plan"]["backup"]) == (0, written.backup["id"]), shown.said
        stack.sql("SELECT pg_create_restore_point('half way')")
        archived(stack)
        shown = stack.run("restore", "--to", "name:half way", "--dry-run", "--json")
        assert (shown.code, shown.data["plan"]["backup"]) == (0, newest["id"]), shown.said
    finally:
        shutil.rmtree(newest["path"])


@contextmanager
def without(path: Path, place: Path) -> Iterator[None]:
    """A file of the archive that is not there for a time."""
    away = shutil.move(path, place.with_name(f"{place.name}.away"))
    try:
        yield
    finally:
        shutil.move(away, path)


@pytest.mark.full_on("docker")
def test_wal_that_was_damaged_cut_off_or_deleted_is_named_and_no_restore_goes_past_it(
    written: Written, place: Path
) -> None:
    stack, (moment, lsn) = written.stack, written.moments[COMMITS]
    name = stack.sql(f"SELECT pg_walfile_name('{lsn}')")
    (path,) = written.archive.glob(f"{name}-*")
    good = path.read_bytes()
    for bad in (good[:5000] + bytes([good[5000] ^ 1]) + good[5001:], good[:-1]):
        path.write_bytes(bad)
        done = stack.run("wal", "verify", "--json")
        assert (done.code, [each["what"] for each in done.data["findings"]]) == (41, [path.name]), done.said
        assert stack.run("backup", "verify").code == 41
        code, said = refusal(written, f"lsn:{lsn}", place)
        assert (code, f"{name} in the archive is damaged" in said) == (41, True), said
        path.write_bytes(good)
    archived(stack)
    with without(path, place):
        done = stack.run("wal", "verify", "--json")
        assert (done.code, done.document["errors"][0]["message"]) == (43, f"the archive lacks {name}"), done.said
        assert stack.run("backup", "verify").code == 43
        for target in (moment, f"lsn:{lsn}", "latest"):
            code, said = refusal(written, target, place)
            assert (code, f"the archive lacks {name}" in said) == (43, True), said
    assert stack.run("wal", "verify").code == 0
