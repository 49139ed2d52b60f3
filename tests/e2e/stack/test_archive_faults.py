"""Faults of the archive under a running stack: unreachable and healed, the archiver killed, the bound reached."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from broken_archive import archived, folder, give_up, unreachable, write
from e2e.stack.conftest import OLDEST, NewStack
from running_stack import Stack, eventually

pytestmark = pytest.mark.parametrize("engine", ["embedded", OLDEST], indirect=True)


@pytest.fixture
def table(stack: Stack) -> Iterator[None]:
    stack.sql("CREATE TABLE faults (id int)")
    archived(stack, write(stack))
    yield
    stack.sql("DROP TABLE faults")


# That the disk of the oldest version's archive is full is a test of its own.
@pytest.mark.full_on(OLDEST)
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


def test_a_file_that_was_given_up_is_named_and_a_backup_heals_it(new_stack: NewStack, engine: str) -> None:
    """On a stack of its own, as the gap stays in its archive."""
    stack = new_stack(engine)
    stack.up()
    stack.sql("CREATE TABLE faults (id int)")
    archived(stack, write(stack))
    names = give_up(stack)
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
