"""The ballast: room on the disk of the data that is held back until the disk is full. Pure."""

from __future__ import annotations

from stackctl.units import GIB, MIB, Bytes

_LEAST, _MOST = 64 * MIB, GIB


def ballast_size(disk: int) -> Bytes:
    """A hundredth of the disk in whole MiB, from 64, four segments of WAL to start and checkpoint with, to 1 GiB."""
    return Bytes(min(max(disk // 100 // MIB * MIB, _LEAST), _MOST))


def is_held(held: int, wanted: int) -> bool:
    """Whether a ballast has the size that is wanted: a file system rounds up, and may add blocks of its own."""
    return wanted <= held <= wanted + MIB
