"""The disk of the data is full and PostgreSQL stopped for it: the ballast lets it start, and no row is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from running_stack import PROFILE, Done, Stack, eventually

MIB = 2**20


@pytest.fixture
def small(new_stack: Any) -> Iterator[tuple[Stack, Path]]:
    """A stack whose data is on a disk of 700 MB, of which it holds 64 MiB back."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    stack: Stack = new_stack("embedded")
    stack.write(profile={**PROFILE, "disk": "4G"})
    stack.up()
    assert stack.run("down").code == 0
    disk = stack.home / "data"
    away = disk.rename(disk.with_name("away"))
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700m", "small", str(disk)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{away}/.", str(disk)], check=True)
        shutil.rmtree(away)
        os.chown(disk, (stack.home).stat().st_uid, stack.home.stat().st_gid)
        disk.chmod(0o700)
        stack.up()
        yield stack, disk
    finally:
        stack.run("down")
        subprocess.run(["umount", str(disk)], check=True)


def checks(stack: Stack) -> dict[str, dict[str, str]]:
    return {check["id"]: check for check in stack.run("health", "--json").data["checks"]}


def warnings(done: Done) -> set[str]:
    return {warning["code"] for warning in done.document["warnings"]}


def write_until_it_stops(stack: Stack) -> list[int]:
    """Rows of a megabyte, one transaction each; gives back the numbers of those that were acknowledged."""
    password, acknowledged = stack.secret("owner_password").strip(), []
    for number in range(1, 1000):
        # Letters that no compression makes small.
        filler = "(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 32000))"
        done = stack.psql("owner", password, f"INSERT INTO ledger SELECT {number}, {filler}")
        if done.code != 0:
            if "No space left" not in done.said:
                return acknowledged
            # The table has no room; only WAL that has none either stops the server.
            stack.psql("owner", password, "SELECT pg_logical_emit_message(true, 'fill', repeat('x', 4000000))")
            continue
        acknowledged.append(number)
    raise AssertionError("the disk took a gigabyte")


def test_a_server_that_stopped_for_a_full_disk_starts_again_with_every_acknowledged_row(
    small: tuple[Stack, Path],
) -> None:
    stack, disk = small
    held = (disk / "ballast").stat().st_blocks * 512
    assert held >= 64 * MIB
    stack.sql("CREATE TABLE ledger (number int, filler text); ALTER TABLE ledger OWNER TO owner")
    assert stack.run("backup").code == 0
    free = shutil.disk_usage(disk).free
    with (disk / "of somebody else").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - 40 * MIB)
    acknowledged = write_until_it_stops(stack)
    assert acknowledged
    log = stack.home / "logs" / "postgres.log"
    eventually(lambda: "PANIC" in log.read_text() and "No space left on device" in log.read_text(), 60, "it stopped")
    eventually(lambda: stack.run("up").code == 20, 300, "it cannot be started")

    found = checks(stack)
    assert (found["database"]["status"], found["disk"]["status"]) == ("fail", "fail")
    assert "stackctl ballast free" in found["disk"]["hint"]
    done = stack.run("ballast", "free", "--json")
    assert (done.code, done.data["freed_bytes"]) == (0, held), done.said
    assert "no_ballast" in warnings(stack.up())
    present = {int(number) for number in stack.sql("SELECT number FROM ledger").split()}
    assert present >= set(acknowledged)
    stack.is_sound()
    assert stack.run("backup", "expire", "--apply").code == 0
    (disk / "of somebody else").unlink()
    assert "no_ballast" not in warnings(stack.up())
    assert checks(stack)["ballast"]["status"] == "ok"
    assert stack.run("backup").code == 0, "every page fits its checksum"
