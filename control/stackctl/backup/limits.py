"""What a server must have to replay WAL: at least what the one that wrote it had, as the control file keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from stackctl.engine.base import Programs
from stackctl.errors import StackError

# pg_controldata's words for them.
_SETTINGS = {
    "max_connections": "max_connections",
    "max_worker_processes": "max_worker_processes",
    "max_wal_senders": "max_wal_senders",
    "max_prepared_xacts": "max_prepared_transactions",
    "max_locks_per_xact": "max_locks_per_transaction",
}
_LINE = re.compile(r"(?m)^(\w+) setting: +(\d+)$")
# Of numbers that do not fit their checksum, the server itself is to say so.
_BROKEN = re.compile(r"\bwarning: ", re.IGNORECASE)
_TOO_SMALL = re.compile(r"maximum number of prepared transactions reached|out of shared memory")


def limits(programs: Programs, data: Path) -> Mapping[str, int]:
    """By parameter what the control file of a stopped server says; nothing where it cannot be read."""
    try:
        done = programs.run("pg_controldata", str(data), folders=[data], quiet=True)
    except StackError:
        return {}
    if _BROKEN.search(done.stdout + done.stderr):
        return {}
    return {_SETTINGS[name]: int(value) for name, value in _LINE.findall(done.stdout) if name in _SETTINGS}


def at_least(settings: Mapping[str, str], least: Mapping[str, int]) -> dict[str, str]:
    """The settings of a server, none of them below `least`."""
    return {**settings, **{name: str(max(value, int(settings.get(name, 0)))) for name, value in least.items()}}


def highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The higher of both for each parameter."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}


def too_small(said: str) -> bool:
    """Whether a server, by its own words, did not start for want of one of them."""
    return bool(_TOO_SMALL.search(said))
