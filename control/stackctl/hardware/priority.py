"""Step back behind everything else on this machine."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from stackctl.units import Bytes


def yield_time() -> None:
    """Give this process, and all that it starts from now on, what others leave of CPU and disk, for good."""
    import psutil

    os.nice(19)
    # Some containers do not allow it.
    with suppress(psutil.Error, OSError):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def step_back(memory: Bytes) -> None:
    """The same, and bound the private memory of each of the processes to `memory` bytes."""
    yield_time()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
