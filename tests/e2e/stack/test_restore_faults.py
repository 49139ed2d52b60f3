"""Restores in place that cannot be, on both engines: the stack runs on what it had."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archived_stack import archived, moment
from restores_in_place import clean, generations, places, repository
from running_stack import Stack
from stackctl.backup.model import Backup
from stackctl.backup.repository import Repository

# A class of operators whose order can be turned round under an index.
_UNSOUND = """
CREATE FUNCTION turning(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($1, $2)';
CREATE OPERATOR CLASS turning FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 turning(int, int);
CREATE TABLE unsound AS SELECT generate_series(1, 1000) AS n;
CREATE INDEX ON unsound (n turning);
"""


@pytest.mark.full_on("docker")
def test_a_copy_that_fails_its_checks_is_never_switched_to(mine: Stack) -> None:
    stack = mine
    stack.sql(_UNSOUND)
    stack.sql("CREATE OR REPLACE FUNCTION turning(int, int) RETURNS int LANGUAGE sql AS 'SELECT -btint4cmp($1, $2)'")
    bad = moment(stack)
    stack.sql("DROP TABLE unsound")
    archived(stack)
    before = stack.identity()
    done = stack.run("restore", "--to", bad, "--json", seconds=600)
    assert (done.code, "the restored copy is damaged" in done.said) == (41, True), done.said
    assert "unsound_n_idx" in done.said
    assert stack.identity() == before, "nothing was restarted"
    assert clean(stack)
    stack.sql("DROP OPERATOR CLASS turning USING btree; DROP FUNCTION turning")


def test_a_stack_that_does_not_start_on_the_copy_goes_back_by_itself(mine: Stack) -> None:
    """There, a trigger refuses what states the roles anew."""
    stack = mine
    stack.sql("CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused here'; END $$")
    stack.sql("CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()")
    bad = moment(stack)
    stack.sql("DROP EVENT TRIGGER no")
    stack.sql("DROP FUNCTION no")
    stack.add_tools("after the trigger")
    archived(stack)
    done = stack.run("restore", "--to", bad, "--json", seconds=600)
    assert (done.code, "refused here" in done.said) == (20, True), done.said
    assert "going back to the data before" in done.err
    assert "after the trigger" in stack.tools()
    assert (generations(stack)["current"], clean(stack)) == (0, True)
    assert stack.run("plan").code == 0


@pytest.mark.full_on("docker")
def test_an_acceptance_that_fails_accepts_nothing(mine: Stack) -> None:
    stack, folder = mine, Repository(repository(mine)).backups_folder
    assert stack.run("restore", seconds=600).code == 0
    mode = folder.stat().st_mode & 0o777
    folder.chmod(mode | 0o001)
    try:
        failed = stack.run("restore", "--accept", "--yes")
    finally:
        folder.chmod(mode)
    assert (failed.code, "is open to everybody" in failed.said) == (10, True), failed.said
    assert (generations(stack)["accepted"], generations(stack)["before"], places(stack)) == (False, 0, 2)
    assert stack.run("up").code == 0
    assert places(stack) == 2, "both are kept until it is decided"
    assert stack.run("restore", "--undo", "--yes").code == 0
    assert (generations(stack)["current"], clean(stack)) == (0, True)


@pytest.mark.full_on("docker")
def test_what_cannot_be_meant_is_refused_while_planning(mine: Stack) -> None:
    stack, place = mine, Repository(repository(mine))
    (backup,) = place.backups()
    before = stack.identity()
    refused = {
        ("--to", "2001-01-01T00:00:00Z"): (42, "is before the oldest backup"),
        ("--to", "2026-03-01 12:00"): (42, "has no time zone"),
        ("--to", "lsn:F/0"): (42, "the archived WAL ends at"),
        ("--timeline", "7"): (42, "no backup leads to timeline 7"),
        ("--cluster", "1"): (2, "no backup is of cluster 1"),
        ("--undo",): (42, "there is no restored copy"),
        ("--accept",): (42, "there is no restored copy"),
        ("--undo", "--accept"): (2, "contradict"),
        ("--undo", "--to", "latest", "--dry-run"): (2, "leave the other options out"),
    }
    for words, (code, sentence) in refused.items():
        done = stack.run("restore", *words)
        assert (done.code, sentence in done.said) == (code, True), (words, done.said)
    for other, sentence in (
        ("postgres", "of PostgreSQL 16, and the stack runs"),
        ("system", "of another cluster (16)"),
    ):
        with_other(place, backup, other)
        done = stack.run("restore", "--backup", backup.id)
        place.update(backup)
        assert (done.code, sentence in done.said) == (42, True), done.said
    if stack.engine == "embedded":
        live = Path(stack.home / "data" / str(backup.postgres))
        done = stack.run("restore", "--into", str(live))
        assert (done.code, f"a server runs on {live} (process {stack.postmaster()})" in done.said) == (42, True), (
            done.said
        )
    with place.locked("stackctl backup"):
        assert stack.run("restore").code == 44
    assert stack.identity() == before
    assert clean(stack)


def with_other(place: Repository, backup: Backup, field: str) -> None:
    """The record of a backup that another stack, or another version, took."""
    values: dict[str, Any] = {"postgres": 16, "system": "16"}
    place.update(replace(backup, **{field: values[field]}))


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_a_copy_that_does_not_fit_is_refused_with_numbers(mine: Stack) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    place, small = repository(mine), Path(tempfile.mkdtemp(prefix="small-", dir="/var/tmp"))
    used = sum(path.stat().st_blocks * 512 for path in place.rglob("*")) // 2**20
    size = f"size={used + 20}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "small", str(small)], check=True)
    try:
        subprocess.run(["cp", "-a", str(place), str(small / "repository")], check=True)
        mine.write(backup={"repository": str(small / "repository")})
        done = mine.run("restore", "--json")
        assert (done.code, "MiB are free there" in done.said) == (20, True), done.said
        plan = mine.run("restore", "--dry-run", "--json").data["plan"]
        assert plan["rooms"][0]["needed"] > plan["rooms"][0]["free"]
    finally:
        mine.write()
        subprocess.run(["umount", str(small)], check=True)
        small.rmdir()
    assert clean(mine)


@pytest.mark.parametrize("engine", ["embedded"], indirect=True)
def test_an_acceptance_that_fails_when_it_archives_already_cannot_be_undone(mine: Stack) -> None:
    """Its history is the newest in the archive, and every later restore would follow it.

    The last test, as the stack is on other data after it.
    """
    assert mine.run("restore", seconds=600).code == 0
    mine.write(app={"directory": "/usr", "command": ["/bin/false"], "health_path": "/"})
    failed = mine.run("restore", "--accept", "--yes")
    assert (failed.code, "the copy is accepted all the same" in failed.said) == (20, True), failed.said
    assert list(repository(mine).glob("wal/*/00000002.history*")), "the server has archived"
    refused = mine.run("restore", "--undo", "--yes")
    assert (refused.code, "the restored copy was accepted" in refused.said) == (42, True), refused.said
    assert places(mine) == 2, "neither is removed before the stack runs as it is to"
    mine.write()
    mine.up()
    assert (generations(mine)["replaced"], clean(mine)) == (None, True)
    archived(mine)
    assert mine.run("wal", "verify").code == 0
