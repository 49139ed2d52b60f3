"""Tells every worker of the host when a table was written: one number for each, in shared memory.

The gunicorn master imports this module before it forks, so the workers of all generations share the
memory. It knows no tables, because the master keeps it over reloads that bring new ones.
"""

from __future__ import annotations

import mmap
import secrets
from zlib import crc32

# One page. Two tables that fall on the same number only forget more than they must.
SLOTS = mmap.PAGESIZE // 8

_stamps = memoryview(mmap.mmap(-1, SLOTS * 8)).cast("Q")


def stamp(table: str) -> int:
    """Return the number of a table's last write."""
    return _stamps[_slot(table)]


def renew(table: str) -> None:
    """Give a table a number that it never had; call it after COMMIT and before the client's answer."""
    # Random, so that two writers at the same time need no lock.
    _stamps[_slot(table)] = secrets.randbits(64)


def _slot(table: str) -> int:
    return crc32(table.encode()) % SLOTS
