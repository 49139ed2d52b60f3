"""A backup gives way to the app, on both engines: its copying program is really held back, unless nobody is there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from http_load import Load, get
from own_repository import configured
from running_stack import Stack, eventually

SLOW = "copying at 5% of full speed"


@pytest.fixture
def busy_app(stack: Stack) -> Iterator[Stack]:
    """A stack whose app is asked by many clients."""
    with Load(stack.ports["app"], get("/tools?limit=50"), clients=16) as load:
        eventually(lambda: len(load.outcomes) > 200, 60, "the clients are at work")
        yield stack


def held_back(stack: Stack, place: Path) -> bool:
    """Whether the program that copies is stopped, or has but a part of a CPU, and stands behind all others."""
    if stack.engine == "embedded":
        return any(_is_copying(process, place) for process in psutil.process_iter())
    words = ["docker", "ps", "--quiet", "--filter", f"name={stack.name}-pg-basebackup-"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    if not found:
        return False
    done = subprocess.run(["docker", "inspect", *found], capture_output=True, text=True, check=False)
    hosts = [each["HostConfig"] for each in json.loads(done.stdout or "[]")]
    return any(0 < host["NanoCpus"] <= 50_000_000 and host["CpuShares"] == 128 for host in hosts)


def _is_copying(process: psutil.Process, place: Path) -> bool:
    try:
        mine = process.name() == "pg_basebackup" and any(word.startswith(str(place)) for word in process.cmdline())
        return mine and process.status() == psutil.STATUS_STOPPED and process.nice() == 19
    except psutil.Error:
        return False


def test_beside_a_busy_app_the_copy_is_held_back_and_good(busy_app: Stack, place: Path) -> None:
    with busy_app.start("backup", "--json") as running:
        eventually(lambda: held_back(busy_app, place), 60, "the copy is held back")
        out, err = running.communicate(timeout=240)
    assert running.returncode == 0, err
    assert SLOW in err
    assert busy_app.run("backup", "verify", json.loads(out)["data"]["id"]).code == 0


@pytest.mark.full_on("docker")
@pytest.mark.usefixtures("place")
def test_beside_nobody_it_goes_at_full_speed(stack: Stack) -> None:
    done = stack.run("backup")
    assert (done.code, SLOW in done.said) == (0, False), done.said


@pytest.mark.full_on("docker")
def test_a_project_may_want_all_of_it_at_once(busy_app: Stack, place: Path) -> None:
    with configured(busy_app, repository=str(place), pace="full"):
        done = busy_app.run("backup")
    assert (done.code, SLOW in done.said) == (0, False), done.said


@pytest.mark.full_on("embedded")
def test_a_backup_that_is_killed_while_it_is_held_back_leaves_nothing_at_work(busy_app: Stack, place: Path) -> None:
    with busy_app.start("backup") as running:
        eventually(lambda: held_back(busy_app, place), 60, "the copy is held back")
        running.kill()
    done = busy_app.run("backup")
    assert done.code == 0, done.said
    assert "removed what an interrupted run left of" in done.said
    eventually(lambda: not held_back(busy_app, place), 30, "no copying program is left")
