"""What happens to a test that needs an engine, or a program of one, where there is none."""

from __future__ import annotations

import os
import shutil
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


def require_pgbouncer() -> None:
    """Go on where this machine has PgBouncer; else leave the test out, or fail it where everything was promised."""
    if shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return
    if os.environ.get("STACKCTL_REQUIRE_ENGINE"):
        pytest.fail("STACKCTL_REQUIRE_ENGINE is set and PgBouncer is not installed")
    pytest.skip("PgBouncer is not installed")
