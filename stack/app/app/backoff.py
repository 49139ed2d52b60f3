"""Waiting times between attempts."""

from __future__ import annotations

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.1
CEILING_SECONDS = 5.0


def delays(longest: float = CEILING_SECONDS) -> Iterator[float]:
    """Yield doubling waits in seconds, each shortened at random by up to a half.

    The chance part keeps all workers of all hosts from knocking in the same moment when a database
    comes back.
    """
    ceiling = FIRST_SECONDS
    while True:
        yield random.uniform(ceiling / 2, ceiling)  # noqa: S311 - not a secret
        ceiling = min(ceiling * 2, longest)
