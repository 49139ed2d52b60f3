"""Faults of the archive under a running stack: unreachable and healed, the archiver killed, the bound reached."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from running_stack import Stack, eventually

pytestmark = pytest.mark.parametrize("engine", ["embedded"], indirect=True)


def folder(stack: Stack) -> Path:
    """The archive of the stack's cluster."""
    (archive,) = stack.run("wal", "status", "--json").data["archives"]
    return Path(archive["path"])


def write(stack: Stack) -> str:
    """Commit something and end the segment; gives back its name."""
    return stack.sql("INSERT INTO faults VALUES (1); SELECT pg_walfile_name(pg_switch_wal())").splitlines()[-1]


def archived(stack: Stack, name: str) -> None:
    archive = folder(stack)
    eventually(lambda: list(archive.glob(f"{name}-*")), 90, f"{name} is archived")


@pytest.fixture
def table(stack: Stack) -> Iterator[None]:
    stack.sql("CREATE TABLE faults (id int)")
    archived(stack, write(stack))
    yield
    stack.sql("DROP TABLE faults")


@contextmanager
def unreachable(archive: Path) -> Iterator[None]:
    """A file in the place of the folder: nobody can write there, root neither."""
    away = archive.rename(archive.with_name("away"))
    archive.write_text("")
    try:
        yield
    finally:
        archive.unlink()
        away.rename(archive)


@pytest.mark.usefixtures("table")
def test_an_archive_that_was_away_is_told_and_catches_up_without_a_gap(stack: Stack) -> None:
    with unreachable(folder(stack)):
        names = [write(stack) for _ in range(3)]
        failing = "SELECT failed_count > 0 AND last_failed_time > last_archived_time FROM pg_stat_archiver"
        eventually(lambda: stack.sql(failing) == "t", 60, "archiving fails")
        done = stack.run("health", "--json")
        assert done.code == 30
        assert {c["id"]: c["status"] for c in done.data["checks"]}["archive"] == "fail"
        stack.add_tools("while the archive is away")
    for name in names:
        archived(stack, name)
    assert stack.run("wal", "verify").code == 0


@pytest.mark.usefixtures("table")
def test_a_killed_archiver_comes_back_without_a_gap(stack: Stack) -> None:
    before = stack.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")
    os.kill(int(before), signal.SIGKILL)
    eventually(
        lambda: stack.psql("app", stack.secret("app_password").strip(), "SELECT 1").code == 0, 60, "the server is back"
    )
    archived(stack, write(stack))
    assert stack.run("wal", "verify").code == 0


@pytest.mark.usefixtures("table")
def test_a_file_that_was_given_up_is_named_and_a_backup_heals_it(stack: Stack) -> None:
    """The server's own command, with a bound of no more than one file."""
    archive = folder(stack)
    command = stack.sql("SHOW archive_command")
    bound = command.rsplit(" ", 2)[1]
    small = command.removesuffix(command[command.rindex(f" {bound} ") :]) + " 1 0"
    conf = stack.home / "rendered" / "postgres" / "postgresql.conf"
    good = conf.read_text()
    with unreachable(archive):
        conf.write_text(good.replace(command.replace("'", "''"), small.replace("'", "''")))
        stack.sql("SELECT pg_reload_conf()")
        names = [write(stack) for _ in range(4)]
        log = stack.home / "logs" / "postgres.log"
        eventually(lambda: "GIVEN UP" in log.read_text(), 120, "a file is given up")
    conf.write_text(good)
    stack.sql("SELECT pg_reload_conf()")
    archived(stack, names[-1])
    done = stack.run("wal", "verify", "--json")
    assert done.code == 43, done.said
    missing = [gap["first"] for each in done.data["archives"] for gap in each["gaps"]]
    assert set(missing) <= set(names[:-1])
    assert missing
    taken = stack.run("backup", "--json")
    assert taken.code == 0, taken.said
    healed = [gap["healed"] for each in stack.run("wal", "status", "--json").data["archives"] for gap in each["gaps"]]
    assert healed == [True]
    # No backup begins before it, so that nobody needs it.
    assert stack.run("wal", "verify").code == 0
    subprocess.run(["rm", "-r", taken.data["path"]], check=True)
