"""Why work on a server failed, as its log and its container tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.engine.rooms import Room
from stackctl.errors import StackError

_KILLED = "was terminated by signal 9"
_BAD = re.compile(r"\b(?:ERROR|FATAL|PANIC):\s+(.+?)(?: at character \d+)?$")
# What a crash or a full server has others meet; it did not lead to it.
_FOLLOWS = re.compile(r"the database system is|too many (clients|connections)|connection slots|terminating ")


@dataclass(frozen=True)
class Past:
    """What a server went through: the last lines of its log, and how often something in its container was killed."""

    lines: frozenset[str]
    kills: int


def past(room: Room) -> Past:
    """Until now."""
    try:
        kills = room.usage().oom_kills
    except StackError:
        kills = None
    return Past(frozenset(room.log().splitlines()), kills or 0)


def killed(room: Room, before: Past) -> bool:
    """Whether the kernel killed one of its processes since."""
    now = past(room)
    return now.kills > before.kills or any(_KILLED in line for line in now.lines - before.lines)


def last_words(room: Room, before: Past) -> str:
    """The last error in its log since then that may be the reason of others; empty where there is none."""
    return last_error(line for line in room.log().splitlines() if line not in before.lines)


def last_error(lines: Iterable[str]) -> str:
    """The last error among lines of a log that is not what a crash or a full server has others meet."""
    found = [said[1] for line in lines if (said := _BAD.search(line)) and not _FOLLOWS.search(said[1])]
    return found[-1] if found else ""
