"""What has to outlive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path, kind: int) -> None:
    """Have a file, or the names in a folder, on the disk. Raises OSError, also where it is not of its `kind`.

    That is a flag of open(2): O_DIRECTORY for a folder, O_NOFOLLOW for either, but no link.
    """
    descriptor = os.open(path, os.O_RDONLY | kind)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
