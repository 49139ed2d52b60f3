"""Which of all backups was tried last, and how that went. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stackctl.backup.model import Backup


@dataclass(frozen=True)
class Drill:
    """The last drill of one backup: when it began, and the check that failed, empty where it passed."""

    backup: Backup
    at: datetime
    failing: str


def last_drill(backups: Sequence[Backup]) -> Drill | None:
    """The newest drill of `backups`, whether it passed or not; None where none was tried."""
    return max((drill for backup in backups if (drill := _of(backup))), key=lambda drill: drill.at, default=None)


def _of(backup: Backup) -> Drill | None:
    # Records from before failures were dated have the time of those alone that passed.
    at = backup.drill_tried_at or backup.drilled_at
    return None if at is None else Drill(backup, at, backup.drill_failing or backup.drill_failed)
