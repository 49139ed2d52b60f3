"""Dumps on both engines: taken, read, restored as a whole and in parts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restored import program, rows
from running_stack import Stack


@pytest.fixture(scope="module")
def dumped(stack: Stack) -> Iterator[dict[str, Any]]:
    """A dump of two schemas, one with a name that has to be quoted."""
    stack.add_tools("dumped")
    stack.sql('CREATE SCHEMA "old Things"')
    stack.sql("CREATE TABLE \"old Things\".tools AS SELECT 'kept' || n AS name FROM generate_series(1, 3) n")
    done = stack.run("backup", "--logical", "--json")
    assert done.code == 0, done.said
    yield done.data
    stack.sql('DROP SCHEMA "old Things" CASCADE')
    shutil.rmtree(Path(done.data["path"]).parent)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="dump-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_record_and_what_is_in_it(stack: Stack, dumped: dict[str, Any]) -> None:
    assert (dumped["kind"], dumped["wal_start"], dumped["timeline"]) == ("logical", None, None)
    assert stack.run("backup", "verify", dumped["id"]).code == 0
    globals_sql = (Path(dumped["path"]) / "data" / "globals.sql").read_text()
    assert "CREATE ROLE app;" in globals_sql
    assert "SCRAM" not in globals_sql
    assert "PASSWORD" not in globals_sql


@pytest.mark.full_on("docker")
def test_a_dump_is_no_base_for_recovery(stack: Stack, dumped: dict[str, Any], tmp_path: Path) -> None:
    done = stack.run("restore", "--into", str(tmp_path / "new"))
    assert (done.code, "there is no good backup to restore" in done.said) == (42, True), done.said
    done = stack.run("restore", "--backup", dumped["id"], "--to", "2026-01-01T00:00:00Z", "--into", str(tmp_path / "n"))
    assert done.code == 2, done.said
    assert stack.run("backup", "drill", dumped["id"]).code == 2


def test_all_of_it_is_restored(stack: Stack, dumped: dict[str, Any], place: Path) -> None:
    stack.add_tools("after the dump")
    into = place / "copy"
    done = stack.run("restore", "--backup", dumped["id"], "--into", str(into), "--json")
    assert done.code == 0, done.said
    found = rows(stack, into)
    assert "dumped" in found
    assert "after the dump" not in found
    assert rows(stack, into, '"old Things".tools') == {"kept1", "kept2", "kept3"}
    assert program(stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    assert rows(stack, into, "pg_roles WHERE rolname = 'app'", "rolname") == {"app"}


@pytest.mark.full_on("docker")
@pytest.mark.parametrize("words", [("--schema", "old Things"), ("--table", "old Things.tools")])
def test_one_part_of_it(stack: Stack, dumped: dict[str, Any], place: Path, words: tuple[str, str]) -> None:
    into = place / "part"
    done = stack.run("restore", "--backup", dumped["id"], *words, "--into", str(into), "--json")
    assert done.code == 0, done.said
    assert rows(stack, into, '"old Things".tools') == {"kept1", "kept2", "kept3"}
    assert rows(stack, into, "pg_tables WHERE schemaname = 'public'", "tablename") == set()


@pytest.mark.full_on("docker")
def test_a_part_that_is_not_there_is_refused(stack: Stack, dumped: dict[str, Any], tmp_path: Path) -> None:
    for words in (("--table", "tool"), ("--table", "old Things.resources"), ("--schema", "new")):
        done = stack.run("restore", "--backup", dumped["id"], *words, "--into", str(tmp_path / "new"))
        assert (done.code, "the dump has no" in done.said) == (42, True), done.said
    assert list(tmp_path.iterdir()) == []
