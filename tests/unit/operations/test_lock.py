"""One run at a time."""

import subprocess
import sys
import time

import pytest

from stackctl.errors import Locked, ProfileError
from stackctl.operations.lock import locked, locked_if_made

HOLDER = """
import pathlib, sys
from stackctl.operations.lock import locked
with locked(pathlib.Path(sys.argv[1]), "up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_at_once_and_told_by_whom(tmp_path, holder):
    began = time.monotonic()
    with pytest.raises(Locked) as caught, locked(tmp_path, "down"):
        pass
    assert time.monotonic() - began < 1
    assert str(caught.value) == f"stackctl up (process {holder.pid}) is at work in this project"
    assert caught.value.exit_code == 44


def test_the_lock_of_a_dead_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    with locked(tmp_path, "down"):
        assert (tmp_path / "lock").read_text().startswith("stackctl down (process ")


def test_the_lock_is_free_after_use_and_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path, "up"):
        raise RuntimeError
    with locked(tmp_path, "up"):
        pass
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_two_locks_in_one_process_exclude_each_other(tmp_path):
    with locked(tmp_path, "up"), pytest.raises(Locked), locked(tmp_path, "down"):
        pass


def test_where_nothing_was_made_there_is_nothing_to_lock(tmp_path):
    with locked_if_made(tmp_path / ".stackctl", "down"):
        assert list(tmp_path.iterdir()) == []
    with locked_if_made(tmp_path, "up"), pytest.raises(Locked), locked_if_made(tmp_path, "down"):
        pass


def test_a_lock_that_cannot_be_opened(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(ProfileError, match="lock: cannot be written"), locked(tmp_path, "down"):
        pass
