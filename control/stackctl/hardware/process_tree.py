"""CPU time and memory of a process with all below it, from /proc, without privileges."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackctl.hardware.usage import Usage
from stackctl.units import Bytes

_PROC = Path("/proc")
_RESIDENT = re.compile(r"(?m)^Rss(Anon|Shmem):\s+([0-9]{1,18}) kB$")


@dataclass(frozen=True)
class _Process:
    """One line of `stat`: the parent, clock ticks of the process and of the children it waited for, its start."""

    pid: int
    parent: int
    ticks: int
    started: int


class ProcessTree:
    """What the tree below one process uses. It remembers the last sum, so that a counter made of it never goes back.

    A process that ended is in its parent's account once that waited for it, so no short-lived one is lost. The root
    is read first: what ends while the others are read is missing until the next look, and never counted twice.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self._hertz = os.sysconf("SC_CLK_TCK")
        self._known: tuple[int, int] = (0, 0)
        self._ticks = 0

    def usage(self, root: int) -> Usage | None:
        """The usage of `root` and all below it, None where it is not there."""
        first = self._read(root)
        if first is None:
            return None
        family = [first, *self._below(root)]
        ticks = sum(each.ticks for each in family)
        if self._known == (first.pid, first.started):
            ticks = max(ticks, self._ticks)
        self._known, self._ticks = (first.pid, first.started), ticks
        return Usage(ticks / self._hertz, self._memory(family))

    def _below(self, root: int) -> Iterator[_Process]:
        children: dict[int, list[_Process]] = defaultdict(list)
        for entry in self._proc.iterdir():
            if entry.name.isdigit() and (found := self._read(int(entry.name))):
                children[found.parent].append(found)
        waiting = [root]
        while waiting:
            for child in children.pop(waiting.pop(), ()):
                yield child
                waiting.append(child.pid)

    def _memory(self, family: list[_Process]) -> Bytes:
        """Their own memory, and of the shared one what the process has touched that touched most of it."""
        own, shared = 0, 0
        for each in family:
            sizes = {kind: int(size) * 1024 for kind, size in _RESIDENT.findall(self._text(each.pid, "status"))}
            own += sizes.get("Anon", 0)
            shared = max(shared, sizes.get("Shmem", 0))
        return Bytes(own + shared)

    def _read(self, pid: int) -> _Process | None:
        # The name of a program may hold blanks and brackets.
        fields = self._text(pid, "stat").rpartition(")")[2].split()
        if len(fields) < 20:
            return None
        return _Process(pid, int(fields[1]), sum(int(field) for field in fields[11:15]), int(fields[19]))

    def _text(self, pid: int, name: str) -> str:
        try:
            return (self._proc / str(pid) / name).read_text(errors="replace")
        except OSError:
            return ""
