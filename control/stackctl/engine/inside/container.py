"""Which container of the stack this process is in."""

from __future__ import annotations

import os

# Only the stack's own containers are told where the repository is.
REPOSITORY = "STACKCTL_REPOSITORY"


def container() -> str:
    """What Docker calls the container, empty where this process is in none of the stack's."""
    return os.uname().nodename if REPOSITORY in os.environ else ""
