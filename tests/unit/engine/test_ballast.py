"""How the file is made: what is written, and what a run that ends early leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stackctl.engine.ballast import DRAFT, NAME, SCRIPT

MIB = 2**20


def hold(folder: Path, **programs: str) -> subprocess.Popen[str]:
    """The script, with `programs` in the place of those that it calls."""
    for name, text in programs.items():
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    argv = ["sh", "-c", SCRIPT, "sh", str(disk / NAME), str(MIB)]
    return subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True)


def left(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (folder / "disk").iterdir()}


@pytest.mark.parametrize(
    "why",
    [
        "fallocate: fallocate failed: Operation not supported",
        "fallocate: fallocate 'x': Not supported",
        "fallocate: fallocate failed: Function not implemented",
        "sh: 5: fallocate: not found",
    ],
)
def test_it_is_written_where_the_file_system_cannot_allocate(tmp_path: Path, why: str) -> None:
    made = hold(tmp_path, fallocate=f'echo "{why}" >&2; exit 1')
    assert made.wait(60) == 0
    assert left(tmp_path) == {NAME: MIB}


def test_nothing_is_written_to_a_full_disk(tmp_path: Path) -> None:
    full = "echo 'fallocate: fallocate failed: No space left on device' >&2; exit 1"
    made = hold(tmp_path, fallocate=full, head=f'touch {tmp_path}/written; exec /usr/bin/head "$@"')
    said = made.communicate(timeout=60)[1]
    assert (made.returncode, left(tmp_path), (tmp_path / "written").exists()) == (1, {}, False)
    assert "No space left on device" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_is_ended_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    slow = f'head -c 4096 /dev/zero >"$3"; touch {tmp_path}/begun; exec sleep 1'
    made = hold(tmp_path, fallocate=slow)
    deadline = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left(tmp_path) == {DRAFT: 4096}
    made.send_signal(number)
    assert made.wait(60) != 0
    assert left(tmp_path) == {}


def test_what_a_killed_one_left_is_not_counted_in(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / DRAFT).write_bytes(bytes(2 * MIB))
    assert hold(tmp_path).wait(60) == 0
    assert left(tmp_path) == {NAME: MIB}
