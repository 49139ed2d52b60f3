"""What a restore in place did to a stack, and what it left."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from running_stack import Stack, docker


def repository(stack: Stack) -> Path:
    (backup, *_) = stack.run("backup", "list", "--json").data["backups"]
    return Path(backup["path"]).parents[1]


def generations(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.state["data"].get(stack.engine, {"current": 0, "unfinished": None})
    return found


def places(stack: Stack) -> int:
    """How many data directories there are."""
    if stack.engine == "docker":
        return len([name for name in stack.volumes() if "_pgdata" in name])
    return len([path for path in (stack.home / "data").iterdir() if path.is_dir()])


def clean(stack: Stack) -> bool:
    """Whether nothing is left of a restore: no copy, no server on one, no second data directory."""
    folder = repository(stack)
    if stack.engine == "docker":
        servers = docker("ps", "-aq", "--filter", f"name=^{stack.name}-copy-").out.split()
    else:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        servers = [line for line in listed.splitlines() if f"{folder}/.restore-" in line]
    return (list(folder.glob(".restore-*")), servers, places(stack)) == ([], [], 1)
