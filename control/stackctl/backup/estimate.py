"""What a restore takes: room on the disk, and time by the runs before it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.backup.model import Backup
from stackctl.backup.wal_name import SEGMENT_SIZE

# So much WAL the copy keeps at most while it recovers: max_wal_size of a server without our configuration.
_WORKING_WAL = 2**30
_RUNS = 5


@dataclass(frozen=True)
class Run:
    """One restore that was measured. Times are in seconds; `files` were replayed, `bytes` copied and checked."""

    bytes: int
    files: int
    copy_seconds: float
    replay_seconds: float
    switch_seconds: float


@dataclass(frozen=True)
class Room:
    """A place, the bytes that are needed there and those that are free."""

    path: str
    needed: int
    free: int


def needed_bytes(size: int, wal_files: int, wal_bytes: int) -> int:
    """Bytes of the candidate at most: all that it is built on, what its WAL may add, and WAL while it recovers."""
    return size + wal_bytes + min(wal_files * SEGMENT_SIZE, _WORKING_WAL)


def by_drills(backups: Sequence[Backup], size: int) -> float | None:
    """Seconds until a copy of `size` is ready, as the last drills of full backups took; None where none was drilled.

    A drill has little of CPU and disk, so that it is rather faster.
    """
    drilled = [each for each in backups if each.rto_seconds is not None and each.parent is None][-_RUNS:]
    if not drilled:
        return None
    return sum(each.rto_seconds or 0.0 for each in drilled) * size / max(sum(each.bytes for each in drilled), 1)


def expected_seconds(runs: Sequence[Run], size: int, files: int) -> float | None:
    """Seconds until the stack runs on the restored copy, by the rates of the last runs; None before the first."""
    last = runs[-_RUNS:]
    if not last:
        return None
    copied, replayed = sum(run.bytes for run in last), sum(run.files for run in last)
    took = sum(run.replay_seconds for run in last)
    copying = sum(run.copy_seconds for run in last) * size / max(copied, 1)
    # The server's own start is in it, also where nothing was replayed.
    replaying = took * files / replayed if replayed else took / len(last)
    return copying + replaying + sum(run.switch_seconds for run in last) / len(last)
