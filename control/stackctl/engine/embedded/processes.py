"""Processes: their memory, and ending those that were left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from stackctl.engine.runner import SystemUser
from stackctl.units import Bytes

_SECONDS = 10.0


def family_memory(pid: int) -> Bytes | None:
    """Proportional set size in bytes of `pid` and all below it: shared pages count once. None where it is gone."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    sizes = [size for member in family if (size := _proportional(member)) is not None]
    return Bytes(sum(sizes)) if sizes else None


def _proportional(process: psutil.Process) -> int | None:
    # One of them may end at any moment, and a zombie has no memory to read.
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return None


def at_work_in(folders: Sequence[Path]) -> list[psutil.Process]:
    """PostgreSQL's programs that have one of `folders` in their command line, or work in it."""
    return [each for each in psutil.process_iter() if any(_works_in(each, folder) for folder in folders)]


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        words, place, name = process.cmdline(), Path(process.cwd()), process.name()
    except (psutil.Error, OSError):
        return False
    named = any(Path(word).is_relative_to(folder) for word in words)
    return name.startswith(("pg_", "postgres", "psql")) and (named or place.is_relative_to(folder))


def is_at_work(pid: int, path: Path, user: SystemUser | None) -> bool:
    """Whether a process of `user`, without one of ours, has `path` in its command line.

    What ends a process whose number the account wrote down asks this first: as root it could end any. In a container
    even root may not see in which folder the process of another user works.
    """
    try:
        process = psutil.Process(pid)
        whose, words = process.uids().real, process.cmdline()
    except (psutil.Error, OSError, ValueError, OverflowError):
        return False
    return whose == (os.geteuid() if user is None else user.uid) and str(path) in words


def end_all(found: Sequence[psutil.Process]) -> None:
    """End processes and wait for it. A server ends at once, as after a crash: its data is of no use any more."""
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT if process.name().startswith("postgres") else signal.SIGTERM)
            # One that was held back hears no signal before it goes on.
            process.resume()
    _, left = psutil.wait_procs(found, timeout=_SECONDS)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_SECONDS)


def kill_tree(pid: int) -> None:
    """End a process and all below it as a machine that stops would, and wait for it."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=_SECONDS)
