"""Data that is lost, or of which nobody knows whose it is, on both engines: it comes back from the backups."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from archived_stack import archived
from e2e.stack.conftest import ENGINES, OLDEST
from restores_in_place import clean, generations, repository
from running_stack import Stack, docker
from stackctl.backup.repository import Repository


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_data_that_is_gone_is_not_gone_back_to(mine: Stack) -> None:
    """An empty database would be made in its place, and the copy removed."""
    stack = mine
    assert stack.run("restore", seconds=600).code == 0
    (old,) = [path for path in (stack.home / "data").iterdir() if path.is_dir() and "." not in path.name]
    away = old.rename(stack.home / "away")
    refused = stack.run("restore", "--undo")
    assert (refused.code, "from before the restore, is not there" in refused.said) == (42, True), refused.said
    assert "first" in stack.tools()
    away.rename(old)
    assert stack.run("restore", "--undo", "--yes").code == 0
    assert (generations(stack)["current"], clean(stack)) == (0, True)


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_data_without_its_control_file_is_replaced_once_its_cluster_is_named(mine: Stack) -> None:
    stack = mine
    stack.add_tools("before the damage")
    archived(stack)
    (backup, *_) = Repository(repository(stack)).backups()
    assert stack.run("down").code == 0
    control = stack.home / "data" / str(backup.postgres) / "global" / "pg_control"
    away = control.rename(control.with_name("pg_control.away"))
    refused = stack.run("restore")
    assert (refused.code, "--cluster IDENTIFIER" in refused.said) == (42, True), refused.said
    done = stack.run("restore", "--cluster", backup.system, "--json", seconds=600)
    assert (done.code, done.data["plan"]["keeps_present_data"]) == (0, True), done.said
    assert "before the damage" in stack.tools()
    away.rename(control)
    assert stack.run("restore", "--undo", "--yes").code == 0
    assert (generations(stack)["current"], clean(stack)) == (0, True)


def check(stack: Stack, name: str) -> tuple[str, str]:
    (found,) = [each for each in stack.run("health", "--json").data["checks"] if each["id"] == name]
    return found["status"], found["evidence"]


def test_a_new_cluster_in_the_place_of_lost_data_is_told_and_kept_apart(new_stack: Any) -> None:
    stack: Stack = new_stack("embedded")
    stack.up()
    stack.add_tools("of the old")
    taken = stack.run("backup", "--json").data
    old = taken["system"]
    archived(stack)
    assert stack.run("down").code == 0
    archive = Path(taken["path"]).parents[1] / "wal"
    before = {path.name: path.read_bytes() for path in (archive / old).iterdir()}
    shutil.rmtree(stack.home / "data")
    stack.up()
    stack.add_tools("of the new")
    archived(stack)
    new = stack.sql("SELECT system_identifier FROM pg_control_system()")
    assert {path.name for path in archive.iterdir()} == {old, new}
    assert {path.name: path.read_bytes() for path in (archive / old).iterdir()} == before

    status, evidence = check(stack, "backup")
    assert (status, new in evidence, taken["id"] in evidence) == ("fail", True, True), evidence
    for words in (("backup", "drill"), ("restore",)):
        refused = stack.run(*words)
        assert (refused.code, f"--cluster {old}" in refused.said) == (42, True), refused.said
    alone = stack.run("backup", "--incremental")
    assert (alone.code, "no good backup to build on" in alone.said) == (40, True), alone.said

    mine = stack.run("backup", "--json").data
    assert (mine["system"], check(stack, "backup")[0]) == (new, "ok")
    for words, system, other in (((), old, taken), (("--cluster", old), new, mine)):
        kept = {each["id"]: each["reason"] for each in stack.run("backup", "expire", "--json", *words).data["kept"]}
        assert kept[other["id"]] == f"of another cluster ({system})"
    assert stack.run("backup", "expire", "--cluster", "9", "--apply").code == 2
    assert (stack.run("backup", "verify").code, stack.run("wal", "verify").code) == (0, 0)
    for words, wanted in (((), mine["id"]), (("--cluster", old), taken["id"])):
        assert stack.run("backup", "drill", "--json", *words, seconds=600).data["backup"] == wanted
    assert stack.run("restore", "--dry-run", "--json").data["plan"]["backup"] == mine["id"]
    done = stack.run("restore", "--cluster", old, "--json", seconds=600)
    assert (done.code, stack.tools()) == (0, {"of the old"}), done.said
    assert stack.run("restore", "--undo", "--yes").code == 0
    assert stack.tools() == {"of the new"}


@pytest.mark.parametrize("engine", [*ENGINES, OLDEST], indirect=True)
def test_a_stack_whose_data_is_lost_comes_back(mine: Stack) -> None:
    """The last test here, as there is no way back from it."""
    stack = mine
    stack.add_tools("last before the loss")
    archived(stack)
    assert stack.run("down").code == 0
    if stack.engine == "docker":
        for name in stack.volumes():
            assert docker("volume", "rm", name).code == 0
    else:
        shutil.rmtree(stack.home / "data")
    before = files_of(stack)
    planned = stack.run("restore", "--dry-run", "--json").data["plan"]
    assert (planned["keeps_present_data"], planned["lost_after"] is not None) == (False, True)
    assert files_of(stack) == before
    done = stack.run("restore", "--json", seconds=600)
    assert done.code == 0, done.said
    assert done.data["plan"]["keeps_present_data"] is False
    assert {"first", "last before the loss"} <= stack.tools()
    refused = stack.run("restore", "--undo")
    assert (refused.code, "no data before the restore" in refused.said) == (42, True), refused.said
    assert stack.run("restore", "--accept", "--yes").code == 0
    stack.add_tools("after the loss")
    archived(stack)
    planned = stack.run("restore", "--dry-run", "--json").data["plan"]
    assert (planned["timeline"], planned["wal_files"] > 1) == (2, True), planned
    assert stack.run("backup").code == 0
    assert stack.run("backup", "verify").code == 0
    assert [each["id"] for each in stack.run("health", "--json").data["checks"] if each["status"] == "fail"] == []


def files_of(stack: Stack) -> dict[str, int]:
    """What the stack and its backups consist of, and when each file was written; without the locks."""
    places = [stack.private, repository(stack), *([stack.home] if stack.engine == "embedded" else [])]
    found = [path for place in places for path in place.rglob("*") if "lock" not in path.name]
    return {str(path): path.stat().st_mtime_ns if path.is_file() else 0 for path in found}
