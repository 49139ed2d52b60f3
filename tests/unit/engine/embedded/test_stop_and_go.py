"""A process that is slowed down, for real."""

import subprocess
import sys
import time

import psutil
import pytest

from stackctl.engine.embedded.stop_and_go import slowed


@pytest.fixture
def busy():
    """A process that takes all the CPU it gets."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def used(process, seconds):
    """CPU time that a process took while so much time went by."""
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return sum(process.cpu_times()[:2]) - before


def test_it_runs_for_its_share_of_the_time(busy):
    with slowed(busy.pid, lambda: 0.1):
        assert used(busy, 1.5) < 0.5


def test_it_stands_still_without_a_share_and_goes_on_with_one(busy):
    share = 0.0
    with slowed(busy.pid, lambda: share):
        time.sleep(0.2)
        assert used(busy, 0.5) == 0.0
        share = 1.0
        time.sleep(0.2)
        assert used(busy, 1.0) > 0.0


def test_it_runs_freely_when_the_context_is_over(busy):
    with slowed(busy.pid, lambda: 0.0):
        time.sleep(0.2)
    assert used(busy, 1.0) > 0.0


def test_a_process_that_ends_meanwhile_is_nothing_to_stop(busy):
    with slowed(busy.pid, lambda: 0.5):
        busy.kill()
        busy.wait()
        time.sleep(0.2)
    assert not busy.is_running()
