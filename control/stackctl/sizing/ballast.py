"""The ballast: room on the disk of the data that is held back until the disk is full. Pure."""

from __future__ import annotations

from stackctl.units import GIB, MIB, Bytes

_LEAST, _MOST = 64 * MIB, GIB


def ballast_size(disk: int) -> Bytes:
    """A hundredth of the disk, from 64 MiB, four segments of WAL to start and checkpoint with, to 1 GiB."""
    return Bytes(min(max(disk // 100, _LEAST), _MOST))
