"""The lock of the repository on both engines: restores beside each other, and nobody beside what changes it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from running_stack import Stack, docker, eventually
from stackctl.backup.repository import Repository


@pytest.fixture
def copies() -> Iterator[Path]:
    """A folder for restored copies that the server's account can enter."""
    folder = Path(tempfile.mkdtemp(prefix="copies-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_restore_goes_beside_another_and_nothing_is_changed_meanwhile(
    stack: Stack, place: Path, copies: Path
) -> None:
    taken = stack.run("backup", "--json").data["id"]
    changes = [
        ("backup",),
        ("backup", "--logical"),
        ("backup", "verify"),
        ("backup", "drill"),
        ("backup", "expire", "--apply"),
        ("backup", "keep", taken, "--reason", "audit"),
    ]
    killed = stack.start("restore", "--into", str(copies / "killed"))
    (left,) = eventually(lambda: list(place.glob(".restore-*")), 120, "the copy is begun")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    with Repository(place).shared("stackctl restore", lambda: None):
        for words in changes:
            done = stack.run(*words)
            assert (done.code, f"process {os.getpid()}" in done.said) == (44, True), (words, done.said)
        done = stack.run("wal", "verify")
        assert done.code == 0, done.said
        done = stack.run("restore", "--into", str(copies / "second"))
        assert done.code == 0, done.said
        assert left.is_dir(), "it could be of one that is at work"
    done = stack.run("restore", "--into", str(copies / "third"))
    assert done.code == 0, done.said
    assert "removed what an interrupted run left" in done.err
    with Repository(place).locked("stackctl backup expire"):
        assert stack.run("wal", "verify").code == 44, "what it reads may just be removed"
    assert list(place.glob(".restore-*")) == []
    assert sorted(path.name for path in copies.iterdir()) == ["second", "third"]


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_container_holds_the_lock_as_a_process_does(stack: Stack, place: Path) -> None:
    assert stack.run("backup").code == 0
    image = docker("inspect", "--format", "{{.Config.Image}}", stack.container("postgres")).out.strip()
    mount = f"type=bind,source={place},target=/repository"
    holding = ["run", "--rm", "--detach", "--network", "none", "--user", "0", "--mount", mount, "--entrypoint", "flock"]
    container = docker(*holding, image, "--exclusive", "/repository/lock", "sleep", "600").out.strip()
    try:
        eventually(lambda: stack.run("backup", "verify").code == 44, 60, "the container has the lock")
        assert stack.run("backup", "expire", "--apply").code == 44
    finally:
        docker("rm", "--force", container)
    done = stack.run("backup", "verify")
    assert done.code == 0, done.said
