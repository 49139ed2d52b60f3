"""Kernel settings and the clock, as the kernel reports them."""

from __future__ import annotations

import ctypes
from pathlib import Path

_STA_UNSYNC = 0x40


def setting(name: str, root: Path = Path("/")) -> str:
    """Value of a sysctl (`vm.swappiness`), empty where it cannot be read."""
    try:
        return (root / "proc/sys" / name.replace(".", "/")).read_text().strip()
    except OSError:
        return ""


def clock_synchronised() -> bool | None:
    """Whether the kernel believes its clock is synchronised (adjtimex); None where it cannot be asked."""
    buffer = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    # struct timex: modes, padding, offset, freq, maxerror, esterror, then status
    status = int.from_bytes(buffer.raw[40:44], "little")
    return not status & _STA_UNSYNC
