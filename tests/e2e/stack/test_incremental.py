"""Incremental backups on both engines: a chain is taken, combined, restored; a damaged member stops it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from restored import program, rows, server_programs
from running_stack import Stack, free_ports


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
def test_restore_txt_is_enough_with_postgresqls_own_programs(
    stack: Stack, chain: list[dict[str, Any]], place: Path
) -> None:
    """Each command as it is written there, with the names that it leaves open."""
    last, copy = Path(chain[-1]["path"]), place / "copy"
    text = (last / "RESTORE.txt").read_text()
    wal, system = f"{last.parents[1]}/wal", chain[-1]["system"]
    assert f"WAL is wal/{system} of this repository" in text
    (check,) = re.findall(r"as it was written: +(sha256sum .*)", text)
    for each in chain:
        subprocess.run(check, shell=True, cwd=each["path"], check=True, stdout=subprocess.DEVNULL)
    (combine,) = re.findall(r"(pg_combinebackup .* -o THE-COPY)", text)
    (verify,) = re.findall(r"check the result: (.*)", text)
    (fetch,) = re.findall(r"restore_command = '(.*)' ", text)
    (start,) = re.findall(r"(pg_ctl .* start)", text)
    (pages,) = re.findall(r"(pg_checksums .*)", text)
    (port,) = free_ports(1)
    steps = f"""set -e
    export PATH="{server_programs(stack)}:$PATH"
    cd '{last}'
    {combine}
    {verify}
    echo "restore_command = '{fetch.replace("WAL/", f"{wal}/{system}/")}'" >> THE-COPY/postgresql.auto.conf
    touch THE-COPY/recovery.signal
    {start} -w -l THE-COPY/log -o '-p {port} -k {place}'
    # It may be started before it is recovered.
    for _ in $(seq 60); do test -e THE-COPY/recovery.signal && sleep 1; done
    pg_ctl -D THE-COPY stop
    {pages}
    """
    owner = (last / "data").stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    identity = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    argv = ["sh", "-c", steps.replace("THE-COPY", str(copy))]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=120, check=False, **identity)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (copy / "recovery.signal").exists(), "it was recovered to the end"
    assert {int(each) for each in rows(stack, copy, "chain", "id")} == {0, 1, 2, 3}


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
