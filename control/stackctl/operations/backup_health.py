"""Whether there is a backup, how old it is, and whether recovery reaches from it to now."""

from __future__ import annotations

from datetime import UTC, datetime

from stackctl.backup.model import Kind, Status
from stackctl.backup.repository import Repository
from stackctl.errors import Problem
from stackctl.health import model
from stackctl.health.archiving import ArchiveUse
from stackctl.health.model import Check
from stackctl.operations.archives import gap_warnings, held_archives

_OLD_DAYS = 7.0


def judge_backups(repository: Repository, use: ArchiveUse | None, now: datetime) -> tuple[Check, ...]:
    """Two checks: age of the newest good physical backup, and gaps that no backup has behind it."""
    good = [each for each in repository.backups() if each.kind is not Kind.LOGICAL and each.status is Status.OK]
    if not good:
        return (Check("backup", model.Status.WARN, "there is no good backup", "stackctl backup"),)
    days = (now.astimezone(UTC) - good[-1].finished_at).total_seconds() / 86_400
    status = model.Status.WARN if days > _OLD_DAYS else model.Status.OK
    age = Check(
        "backup", status, f"{good[-1].id} is {days:.1f} days old", "stackctl backup" if days > _OLD_DAYS else ""
    )
    return (age, _gaps(gap_warnings(held_archives(repository, use))))


def _gaps(found: list[Problem]) -> Check:
    if not found:
        return Check("wal_gap", model.Status.OK, "recovery reaches from a backup to now")
    return Check("wal_gap", model.Status.FAIL, found[-1].message, found[-1].hint)
