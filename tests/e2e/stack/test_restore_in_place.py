"""Restores in place, on both engines: the running stack goes to an earlier moment, and back."""

from __future__ import annotations

from typing import Any

import pytest

from archived_stack import archived, moment
from running_stack import Stack


@pytest.fixture
def running(new_stack: Any, engine: str) -> Stack:
    """A stack of its own with a backup in it."""
    stack: Stack = new_stack(engine)
    stack.up()
    return stack


def restore(stack: Stack, *words: str) -> dict[str, Any]:
    done = stack.run("restore", "--json", *words, seconds=600)
    assert done.code == 0, done.said
    return done.data


@pytest.mark.full_on("embedded")
def test_a_wrong_delete_is_undone_and_the_restore_too(running: Stack) -> None:
    """And both histories can be recovered to for good: the one that was left, and the one that went on."""
    stack = running
    stack.add_tools("before the backup")
    assert stack.run("backup").code == 0
    stack.add_tools("before the delete")
    # The app logs in to the restored copy all the same.
    stack.sql("ALTER ROLE app PASSWORD 'of another time'")
    right = moment(stack)
    stack.add_tools("a mark for the end of recovery")
    stack.sql("DELETE FROM tools WHERE name LIKE 'before%'")
    archived(stack)
    deleted = moment(stack)
    assert stack.run("backup").code == 0

    found = restore(stack, "--to", right)
    assert found["target"][:19] == right[:19].replace("T", " ")
    assert stack.tools() == {"before the backup", "before the delete"}
    assert stack.sql("SELECT timeline_id FROM pg_control_checkpoint()") == "2"
    stack.add_tools("after the restore")
    assert [each["status"] for each in checks(stack) if each["id"] == "restored"] == ["warn"]
    refused = stack.run("backup")
    assert (refused.code, "not accepted yet" in refused.said) == (40, True), refused.said
    assert stack.run("up").code == 0
    assert stack.tools() == {"before the backup", "before the delete", "after the restore"}

    restore(stack, "--undo", "--yes")
    assert stack.tools() == {"a mark for the end of recovery"}
    assert stack.sql("SELECT timeline_id FROM pg_control_checkpoint()") == "1"
    stack.add_tools("after the undo")
    undone = moment(stack)
    stack.add_tools("one more")
    archived(stack)
    assert stack.run("wal", "verify").code == 0

    restore(stack, "--to", right)
    stack.add_tools("on the second timeline")
    unasked = stack.run("restore", "--accept", "--json")
    assert (unasked.code, "--yes" in unasked.document["errors"][0]["hint"]) == (2, True), unasked.said
    restore(stack, "--accept", "--yes")
    archived(stack)
    if words := stack.incremental():
        alone = stack.run("backup", *words)
        assert (alone.code, "no good backup to build on" in alone.said) == (40, True), alone.said
    later = moment(stack)
    stack.add_tools("the last")
    archived(stack)
    assert stack.run("wal", "verify").code == 0, "both histories are whole"
    assert checks_failed(stack) == []

    restore(stack, "--to", undone, "--timeline", "1")
    assert stack.tools() == {"a mark for the end of recovery", "after the undo"}
    restore(stack, "--undo", "--yes")
    restore(stack, "--to", later)
    assert stack.tools() == {"before the backup", "before the delete", "on the second timeline"}
    assert deleted < later


def checks(stack: Stack) -> list[dict[str, str]]:
    found: list[dict[str, str]] = stack.run("health", "--json").data["checks"]
    return found


def checks_failed(stack: Stack) -> list[str]:
    return [each["id"] for each in checks(stack) if each["status"] == "fail"]
