"""Which backups say something of the data that runs, and of how old its backups are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from stackctl.backup.model import Backup

# Two clocks that are right differ by less.
AHEAD = timedelta(minutes=5)


def of_cluster(backups: Sequence[Backup], system: str | None) -> Sequence[Backup]:
    """Those of one cluster, as another project may keep its own beside them; all where nobody knows which it is."""
    return [each for each in backups if each.system == system] if system else backups


def past(backups: Sequence[Backup], now: datetime) -> list[Backup]:
    """Those that are not dated in the future: a clock was wrong then or is now, and nobody knows how old they are.

    A verification or a drill that is dated so is left out of the others.
    """
    return [_without(each, now + AHEAD) for each in backups if not ahead(each, now)]


def ahead(backup: Backup, now: datetime) -> bool:
    """Whether it is dated in the future."""
    return backup.finished_at > now + AHEAD


def _without(backup: Backup, edge: datetime) -> Backup:
    return replace(
        backup,
        verified_at=_until(backup.verified_at, edge),
        drilled_at=_until(backup.drilled_at, edge),
        drill_tried_at=_until(backup.drill_tried_at, edge),
    )


def _until(moment: datetime | None, edge: datetime) -> datetime | None:
    return None if moment is None or moment > edge else moment
