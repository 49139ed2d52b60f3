"""The installed command, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("stackctl")


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without what could decide a setting, and with `variables`."""
    ours = ("STACKCTL_", "PG_", "DB_", "PYTHON", "NO_COLOR", "COMPOSE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **variables}


def stackctl(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `stackctl words...` in `cwd`, to its end."""
    return subprocess.run(
        [str(PROGRAM), *words],
        cwd=cwd,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def document(text: str) -> dict[str, Any]:
    """The one JSON document that `text` must be, checked against the envelope of the contract."""
    found: dict[str, Any] = json.loads(text)
    assert list(found) == ["schema", "command", "ok", "data", "warnings", "errors"]
    assert found["schema"] == "stackctl/v1"
    assert isinstance(found["ok"], bool)
    assert isinstance(found["data"], dict)
    for problem in (*found["warnings"], *found["errors"]):
        assert list(problem) == ["code", "message", "hint"]
        assert all(isinstance(text, str) for text in problem.values())
        assert problem["code"]
        assert problem["message"]
    return found
