"""The lock of a repository: one changes it, or many read."""

import os
import socket
import subprocess
import sys

import pytest

from stackctl.backup import lock
from stackctl.errors import Locked

HOLDER = """
import sys
from pathlib import Path
from stackctl.backup import lock
with lock.exclusive(Path(sys.argv[1]), "stackctl backup"):
    print("held", flush=True)
    sys.stdin.read()
"""


def nothing():
    """Nobody is alone here."""
    raise AssertionError("others are at work")


def test_readers_share_it_and_only_the_first_tidies(tmp_path):
    path, calls = tmp_path / "lock", []
    with lock.shared(path, "one", lambda: calls.append("one")), lock.shared(path, "two", nothing):
        assert calls == ["one"]
    with lock.shared(path, "three", lambda: calls.append("three")):
        assert calls == ["one", "three"]


def test_whoever_changes_something_waits_for_all_readers_and_hears_who_they_are(tmp_path):
    path = tmp_path / "lock"
    with lock.shared(path, "first restore", lambda: None):
        with (
            lock.shared(path, "second restore", nothing),
            pytest.raises(
                Locked, match=r"first restore \(process \d+\) and second restore \(process \d+\) are at work"
            ),
            lock.exclusive(path, "expire"),
        ):
            pass
        with pytest.raises(Locked), lock.exclusive(path, "expire"):
            pass
    with lock.exclusive(path, "expire"), pytest.raises(Locked, match="expire"), lock.shared(path, "x", nothing):
        pass


def test_nobody_comes_in_while_the_first_reader_tidies(tmp_path):
    path, seen = tmp_path / "lock", []

    def tidy():
        for other in (lock.exclusive(path, "backup"), lock.shared(path, "restore", nothing)):
            with pytest.raises(Locked), other:
                pass
            seen.append(other)

    with lock.shared(path, "restore", tidy):
        assert len(seen) == 2


def test_a_reader_is_refused_beside_another_process_until_that_ends(tmp_path):
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        with (
            pytest.raises(Locked, match=rf"stackctl backup \(process {process.pid}\)"),
            lock.shared(path, "x", nothing),
        ):
            pass
    finally:
        process.kill()
        process.communicate()
    with lock.shared(path, "x", lambda: None):
        pass


def test_a_holder_in_the_schedulers_container_is_named_with_it(tmp_path, monkeypatch):
    """Its number is another process's on the machine: whoever has to end it is told what to end."""
    monkeypatch.setenv("STACKCTL_REPOSITORY", "/srv/backups")
    name, path = socket.gethostname(), tmp_path / "lock"
    with lock.exclusive(path, "stackctl backup drill"):
        monkeypatch.delenv("STACKCTL_REPOSITORY")
        with pytest.raises(Locked) as found, lock.shared(path, "stackctl restore", nothing):
            pass
    assert str(found.value) == (
        f"stackctl backup drill (process {os.getpid()} in container {name}) is at work in {tmp_path}"
    )
    assert found.value.hint == (
        "wait for it to end, then run this again; or, where this cannot wait: "
        f"docker stop {name} ends it with the stack's scheduler, docker start {name} starts that again"
    )


def test_a_holder_on_the_machine_is_waited_for(tmp_path):
    path = tmp_path / "lock"
    with (
        lock.exclusive(path, "stackctl backup"),
        pytest.raises(Locked) as found,
        lock.exclusive(path, "stackctl backup"),
    ):
        pass
    assert found.value.hint == "wait for it to end, then run this again"
