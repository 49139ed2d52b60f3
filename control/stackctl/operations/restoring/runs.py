"""Restores that were measured, as files of the project."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from stackctl.backup.catalog import write_whole
from stackctl.backup.estimate import Run

_NAME = "restores.json"
_KEPT = 20


def measured(private: Path) -> list[Run]:
    """The runs before, oldest first; none where they cannot be read, as nothing but an estimate depends on them."""
    try:
        return [Run(**each) for each in json.loads((private / _NAME).read_text())]
    except (OSError, ValueError, TypeError):
        return []


def remember(private: Path, run: Run) -> None:
    """Add a run, where the disk takes it: what was restored is no failure for want of that."""
    runs = [*measured(private), run][-_KEPT:]
    with suppress(OSError):
        write_whole(private / _NAME, (json.dumps([asdict(each) for each in runs]) + "\n").encode())
