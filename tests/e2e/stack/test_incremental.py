"""Incremental backups on both engines: a chain is taken, combined, restored; a damaged member stops it."""

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
def chain(stack: Stack) -> Iterator[list[dict[str, Any]]]:
    """A full backup and two on top of it, a row before each; some of the table's blocks change, most do not."""
    stack.sql("CREATE TABLE chain (id int, filler text)")
    stack.sql("INSERT INTO chain SELECT 0, repeat('x', 500) FROM generate_series(1, 40000)")
    taken = []
    for number, words in enumerate(([], ["--incremental"], ["--incremental"]), 1):
        stack.sql(f"INSERT INTO chain VALUES ({number}, 'row')")
        done = stack.run("backup", *words, "--json")
        assert done.code == 0, done.said
        taken.append(done.data)
    yield taken
    stack.sql("DROP TABLE chain")
    for each in taken:
        shutil.rmtree(each["path"])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def bytes_of_data(taken: dict[str, Any]) -> int:
    """The size of a backup without its WAL."""
    wal = Path(taken["path"]) / "data" / "pg_wal"
    return int(taken["bytes"]) - sum(path.stat().st_size for path in wal.rglob("*") if path.is_file())


def test_each_is_built_on_the_one_before_and_holds_what_changed(chain: list[dict[str, Any]]) -> None:
    full, first, second = chain
    assert [each["kind"] for each in chain] == ["full", "incremental", "incremental"]
    assert [each["parent"] for each in chain] == [None, full["id"], first["id"]]
    # The table has 20 MB. WAL is in each too, the more of it the longer the backup took.
    assert bytes_of_data(first) < bytes_of_data(full) - 18 * 2**20
    assert full["id"] in (Path(second["path"]) / "RESTORE.txt").read_text()


def test_the_end_of_a_chain_is_restored(stack: Stack, chain: list[dict[str, Any]], place: Path) -> None:
    last, into = chain[-1], place / "copy"
    done = stack.run("restore", "--to", f"lsn:{last['wal_stop']}", "--into", str(into), "--json")
    assert (done.code, done.data.get("backup")) == (0, last["id"]), done.said
    assert program(stack, "pg_checksums", "--check", "-D", str(into), data=into).code == 0
    assert {int(each) for each in rows(stack, into, "chain", "id")} == {0, 1, 2, 3}


@pytest.mark.full_on("docker")
def test_damage_anywhere_in_a_chain_stops_it_before_it_is_combined(
    stack: Stack, chain: list[dict[str, Any]], place: Path
) -> None:
    for member in chain[:2]:
        data = Path(member["path"]) / "data"
        # The largest file: the table in the full one, WAL or a catalogue in the others.
        path = max((each for each in data.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
        with path.open("r+b") as file:
            file.seek(5000)
            good = file.read(1)
            file.seek(5000)
            file.write(bytes([good[0] ^ 1]))
        done = stack.run("restore", "--backup", chain[-1]["id"], "--into", str(place / "copy"))
        assert (done.code, member["id"] in done.said, "combining" in done.said) == (41, True, False), done.said
        assert list(place.iterdir()) == []
        with path.open("r+b") as file:
            file.seek(5000)
            file.write(good)
    assert stack.run("backup", "verify").code == 0
