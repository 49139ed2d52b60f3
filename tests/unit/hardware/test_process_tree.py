"""CPU time of a real tree of processes, and of one that was written down."""

import os
import subprocess
import sys

import pytest

from stackctl.hardware.process_tree import ProcessTree

HERTZ = os.sysconf("SC_CLK_TCK")
# A parent that waits for one child after the other, each of which burns 10 ms or so and is gone.
SHORT_LIVED = """
import os, sys, time
for _ in range(40):
    if (pid := os.fork()) == 0:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
print("done", flush=True)
sys.stdin.read()
"""


def test_children_that_ended_are_counted():
    with subprocess.Popen([sys.executable, "-c", SHORT_LIVED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        parent.stdout.readline()
        found = ProcessTree().usage(parent.pid)
        # 40 children of 20 ms; the interpreter's own start is 10 to 100 ms
        assert 0.75 <= found.cpu_seconds < 1.3
        assert found.memory > 2**20
        parent.stdin.close()


def line(pid, parent, ticks, started=5):
    own, system, children, theirs = ticks
    return (
        f"{pid} (post) gres: x) S {parent} 1 1 0 -1 0 0 0 0 0 {own} {system} {children} {theirs} 20 0 1 0 {started} 0 0"
    )


def write(proc, processes):
    for pid, text in processes.items():
        (proc / str(pid)).mkdir(exist_ok=True)
        (proc / str(pid) / "stat").write_text(text)
        (proc / str(pid) / "status").write_text(
            "Name:\tx\nRssAnon:\t    2048 kB\nRssFile:\t 10 kB\nRssShmem:\t 1024 kB\n"
        )


def test_only_the_tree_counts_and_shared_memory_once(tmp_path):
    write(
        tmp_path,
        {
            10: line(10, 1, (100, 50, 700, 150)),
            11: line(11, 10, (20, 10, 0, 0)),
            12: line(12, 11, (4, 1, 0, 0)),
            99: line(99, 1, (5000, 0, 0, 0)),
        },
    )
    found = ProcessTree(tmp_path).usage(10)
    assert found.cpu_seconds == pytest.approx(1035 / HERTZ)
    # 3 x 2 MiB of their own, 1 MiB that they share
    assert found.memory == 7 * 2**20


def test_the_sum_never_goes_back_while_the_same_server_runs(tmp_path):
    tree = ProcessTree(tmp_path)
    write(tmp_path, {10: line(10, 1, (100, 0, 0, 0)), 11: line(11, 10, (900, 0, 0, 0))})
    assert tree.usage(10).cpu_seconds == pytest.approx(1000 / HERTZ)
    # The child is gone, and the parent was read before it had waited for it.
    (tmp_path / "11" / "stat").unlink()
    assert tree.usage(10).cpu_seconds == pytest.approx(1000 / HERTZ)
    write(tmp_path, {10: line(10, 1, (110, 0, 905, 0))})
    assert tree.usage(10).cpu_seconds == pytest.approx(1015 / HERTZ)
    # Another server under the same number begins anew.
    write(tmp_path, {10: line(10, 1, (7, 0, 0, 0), started=6)})
    assert tree.usage(10).cpu_seconds == pytest.approx(7 / HERTZ)


def test_a_process_that_is_gone_has_no_usage(tmp_path):
    assert ProcessTree(tmp_path).usage(10) is None
