"""Whether there is a backup, how old it is, and whether recovery reaches from it to now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.considered import ahead, of_cluster, past
from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.protocol import Stored
from stackctl.errors import Problem, ProfileError
from stackctl.health import model
from stackctl.health.archiving import ArchiveUse
from stackctl.health.model import Check
from stackctl.operations.archives import gap_warnings, held_archives
from stackctl.settings.backup import SECTION, backup_settings
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.project_file import load_section
from stackctl.units import counted

_OLD_DAYS = 7.0
_CLOCK = "see that the clock of this machine is right (date), then take one that is dated right: stackctl backup"


def judge_backups(stored: Stored, use: ArchiveUse | None, now: datetime) -> tuple[Check, ...]:
    """Two checks: age of the newest good physical backup, and gaps that no backup has behind it."""
    good: Sequence[Backup] = [
        each for each in stored.backups() if each.kind is not Kind.LOGICAL and each.status is Status.OK
    ]
    if not good:
        return (Check("backup", model.Status.WARN, "there is no good backup", "stackctl backup"),)
    if use and use.system and use.system not in {backup.system for backup in good}:
        return (_of_another(good[-1], use.system), _gaps(gap_warnings(held_archives(stored, use))))
    age = _judge_age(of_cluster(good, use.system if use else None), now)
    return (age, _gaps(gap_warnings(held_archives(stored, use))))


def _judge_age(good: Sequence[Backup], now: datetime) -> Check:
    newest, known = good[-1], past(good, now)
    evidence, days = "", 0.0
    if known:
        days = max(0.0, (now.astimezone(UTC) - known[-1].finished_at).total_seconds() / 86_400)
        evidence = f"{known[-1].id} is {_age(days)} old"
    if ahead(newest, now):
        dated = f"{newest.id} is dated in the future ({spelled(newest.finished_at)}), and nobody knows how old it is"
        return Check("backup", model.Status.WARN, "; ".join(filter(None, (dated, evidence))), _CLOCK)
    old = days > _OLD_DAYS
    return Check("backup", model.Status.WARN if old else model.Status.OK, evidence, "stackctl backup" if old else "")


def _of_another(newest: Backup, system: str) -> Check:
    """As after the data was lost, and a start made an empty database in its place."""
    evidence = f"no good backup is of the data that runs now ({system}); {newest.id} is of another cluster"
    lost = f"if it took the place of data that was lost: stackctl restore --cluster {newest.system}"
    # First what takes nothing away: a restore replaces the data that runs, which may be right.
    return Check("backup", model.Status.FAIL, evidence, f"if this data is right: stackctl backup; {lost}")


def _age(days: float) -> str:
    return counted(round(days, 1), "day") if days >= 1 else counted(round(days * 24, 1), "hour")


def _gaps(found: list[Problem]) -> Check:
    if not found:
        return Check("wal_gap", model.Status.OK, "recovery reaches from a backup to now")
    return Check("wal_gap", model.Status.FAIL, found[-1].message, found[-1].hint)


def judge_schedule(folder: Path, stored: Stored, use: ArchiveUse | None) -> tuple[Check, ...]:
    """One check: work on backups of the running cluster whose time passed without it.

    None where nothing is scheduled, as far as is known.
    """
    try:
        settings = backup_settings(load_section(folder / PROJECT_FILE, SECTION).keys, folder)
    except ProfileError:
        return ()
    if not settings.schedule:
        return ()
    from stackctl.operations.backups.schedule import late, machine_zone
    from stackctl.settings.schedule import jobs

    now = datetime.now(machine_zone())
    backups = of_cluster(stored.backups(), use.system if use else None)
    overdue = [job.name for job in late(jobs(settings.schedule), backups, now)]
    if not overdue:
        return (Check("backup_schedule", model.Status.OK, "all that was due is done"),)
    hint = "stackctl logs scheduler" if settings.scheduled else "does a timer run it? stackctl backup schedule"
    # A drill or an expiry that is late loses nothing yet.
    status = model.Status.FAIL if {"full", "incremental"} & set(overdue) else model.Status.WARN
    return (Check("backup_schedule", status, f"not done when it was due: {', '.join(overdue)}", hint),)
