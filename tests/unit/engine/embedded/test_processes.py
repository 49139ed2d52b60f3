"""Memory of a process and its children."""

import os
import subprocess
import sys

from stackctl.engine.embedded.processes import family_memory

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = bytearray(b'1' * 50_000_000); print('up', flush=True); input()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("up", flush=True)
sys.stdin.read()
child.kill()
"""

CHURN = """
import os
print("ready", flush=True)
while True:
    os.waitpid(os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "0.002"), 0)
"""


def test_children_count():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert 50_000_000 < family_memory(process.pid) < 200_000_000
    finally:
        process.communicate()


def test_a_process_that_is_gone():
    done = subprocess.Popen(["true"])
    done.wait()
    assert family_memory(done.pid) is None
    assert family_memory(os.getpid()) > 1_000_000


def test_children_that_end_while_they_are_read():
    """A server's processes come and go: one that is just gone must not fail the reading of the others."""
    process = subprocess.Popen([sys.executable, "-c", CHURN], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        for _ in range(300):
            assert family_memory(process.pid) > 1_000_000
    finally:
        process.kill()
        process.communicate()
