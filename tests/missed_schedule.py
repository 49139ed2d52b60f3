"""A schedule whose times were missed for years before the stack was there, and what its scheduler makes of that."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from running_stack import Stack, eventually

# Once a year, so that nothing but what was missed comes due while the tests run.
YEARLY = {"full": "0 0 1 1 *", "expire": "5 0 1 1 *", "drill": "10 0 1 1 *"}
WITH_DUMPS = {"full": YEARLY["full"], "logical": "3 0 1 1 *", **YEARLY}
_LONG_AGO = (datetime.now(UTC) - timedelta(days=800)).strftime("%Y-%m-%dT%H:%M:%SZ")


def remember_nothing_done(stack: Stack, jobs: Iterable[str] = YEARLY) -> None:
    """What a scheduler remembers that knows its jobs for long, and did none of them."""
    stack.private.mkdir(mode=0o700)
    memory = stack.private / "scheduler"
    memory.mkdir(mode=0o700)
    (memory / "done.json").write_text(json.dumps({"done": {}, "seen": dict.fromkeys(jobs, _LONG_AGO)}))


def caught_up(stack: Stack) -> None:
    """Wait until the last of them is done."""
    eventually(lambda: backups(stack) and backups(stack)[0]["drilled_at"], 240, "the drill is done")


def backups(stack: Stack) -> list[dict[str, Any]]:
    """All of them, oldest first."""
    found: list[dict[str, Any]] = stack.run("backup", "list", "--json").data["backups"]
    return found


def told(stack: Stack) -> list[list[str]]:
    """The first words of each line on the beginning or end of a job, behind the time."""
    lines = stack.run("logs", "scheduler", "--tail", "1000").out.splitlines()
    return [line.split(" ")[1:5] for line in lines if " begins, " in line or " ended with " in line]
