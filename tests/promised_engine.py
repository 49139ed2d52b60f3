"""What happens to a test that needs an engine where none answers."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


def require_engine(answers: Callable[[], bool]) -> None:
    """Go on where the engine answers; else leave the test out, or fail it where an engine was promised."""
    try:
        if answers():
            return
    except OSError:
        pass
    if os.environ.get("STACKCTL_REQUIRE_ENGINE"):
        pytest.fail("STACKCTL_REQUIRE_ENGINE is set and no Docker Engine answers")
    pytest.skip("no Docker Engine answers")
