"""Networks of a test's own, and a cut in them: packets to a server are dropped, and nobody is told."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NEW_NETWORK = 0x40000000
# A job's shell may have no sbin in its path.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def require_network_tools() -> None:
    """Skip, visibly, where nobody may make networks or the programs are missing."""
    missing = [name for name in ("ip", "iptables", "nsenter") if shutil.which(name, path=_PATH) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"a cut of the network needs root, iproute2 and iptables; missing: {', '.join(missing) or 'root'}")


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and what it starts, into a network that has only a loopback of its own.

    The network ends with its last process; nothing of it stays behind.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _call("unshare", _NEW_NETWORK)
        _run("ip", "link", "set", "lo", "up")
        yield
    finally:
        _call("setns", before, _NEW_NETWORK)
        os.close(before)


@contextmanager
def inside_network_of(pid: int) -> Iterator[None]:
    """Put this thread into a process's network."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _call("setns", there, _NEW_NETWORK)
        yield
    finally:
        _call("setns", before, _NEW_NETWORK)
        os.close(there)
        os.close(before)


@contextmanager
def cut(pid: int, port: int) -> Iterator[None]:
    """Drop all packets to and from a port, in the network of the process that listens there."""
    # The main thread never leaves the machine's network.
    assert Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink(), "would cut others off too"
    rules = [("INPUT", "--dport"), ("OUTPUT", "--sport")]
    try:
        for chain, end in rules:
            _rule(pid, "-A", chain, end, port)
        yield
    finally:
        for chain, end in rules:
            _rule(pid, "-D", chain, end, port)


def _rule(pid: int, action: str, chain: str, end: str, port: int) -> None:
    words = ("-p", "tcp", end, str(port), "-j", "DROP")
    _run("nsenter", "-t", str(pid), "-n", "iptables", "-w", action, chain, *words)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, timeout=30, env={**os.environ, "PATH": _PATH})


def _call(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
