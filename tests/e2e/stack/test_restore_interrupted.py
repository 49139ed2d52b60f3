"""Restores in place that are killed or interrupted, on both engines: nothing is half done, running again is safe."""

from __future__ import annotations

import signal

import pytest

from archived_stack import archived
from e2e.stack.conftest import ENGINES, OLDEST
from restores_in_place import clean, generations, places, repository
from running_stack import Stack, eventually


@pytest.mark.full_on("docker")
def test_killed_while_it_builds_a_copy_nothing_changed_and_the_next_command_cleans(mine: Stack) -> None:
    stack, folder = mine, repository(mine)
    before = stack.identity()
    process = stack.start("restore", "--json")
    eventually(lambda: list(folder.glob(".restore-*/data/postmaster.pid")), 120, "a server runs on the copy")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    left, unfinished = sorted(folder.glob(".restore-*")), generations(stack)["unfinished"]
    assert unfinished is not None
    looked = stack.run("restore", "--dry-run")
    assert (looked.code, f"what it left, data {unfinished}, is to be removed first" in looked.said) == (42, True)
    assert stack.run("restore", "--into", str(stack.folder / "copy"), "--dry-run").code == 0
    assert (sorted(folder.glob(".restore-*")), generations(stack)["unfinished"]) == (left, unfinished)
    assert stack.healthy()
    assert stack.run("up").code == 0
    assert clean(stack)
    assert stack.identity() == before


def test_killed_while_it_switches_the_next_up_finishes(mine: Stack) -> None:
    stack = mine
    stack.add_tools("before the kill")
    archived(stack)
    process = stack.start("restore", "--json")
    eventually(lambda: generations(stack)["current"] != 0, 300, "it switches")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    stack.up()
    assert generations(stack)["current"] != 0
    assert "before the kill" in stack.tools()
    stack.is_sound()
    assert stack.run("restore", "--undo", "--yes").code == 0
    assert (generations(stack)["current"], clean(stack)) == (0, True)


@pytest.mark.full_on("docker")
def test_killed_while_it_undoes_the_copy_stays_until_the_old_data_runs(mine: Stack) -> None:
    stack = mine
    assert stack.run("restore", seconds=600).code == 0
    process = stack.start("restore", "--undo", "--yes")
    eventually(lambda: generations(stack)["current"] == 0, 300, "it switches back")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert places(stack) == 2
    failed = stack.run("up", "--set", "unix_socket_group=nosuchgroup", "--timeout", "60")
    assert (failed.code, places(stack)) == (20, 2), failed.said
    stack.up()
    assert (generations(stack)["current"], clean(stack), stack.healthy()) == (0, True, True)


@pytest.mark.full_on("docker")
@pytest.mark.parametrize("engine", [*ENGINES, OLDEST], indirect=True)
def test_interrupted_while_it_switches_it_goes_back(mine: Stack) -> None:
    stack = mine
    process = stack.start("restore", "--json")
    eventually(lambda: generations(stack)["current"] != 0, 300, "it switches")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert (process.returncode, "going back to the data before" in said) == (130, True), said
    stack.is_sound()
    assert (generations(stack)["current"], clean(stack), stack.healthy()) == (0, True, True)
