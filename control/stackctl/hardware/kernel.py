"""Kernel settings and the clock, as the kernel reports them."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path

_STA_UNSYNC = 0x40
_IO_URING_SETUP = 425  # the same number on every architecture that Linux has PostgreSQL for


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


def io_uring_allowed(root: Path = Path("/")) -> bool:
    """Whether an ordinary process may use io_uring: the kernel has it, and no sysctl or seccomp filter forbids it."""
    # 1 leaves it to privileged processes, which PostgreSQL refuses to be.
    if setting("kernel.io_uring_disabled", root) not in ("", "0"):
        return False
    try:
        library = ctypes.CDLL(None, use_errno=True)
        # A ring without entries is never made: EINVAL comes only where the call itself is allowed.
        library.syscall(_IO_URING_SETUP, 0, None)
    except (OSError, AttributeError):
        return False
    return ctypes.get_errno() in (errno.EINVAL, errno.EFAULT)
