"""Whether there is a backup, how old it is, and whether recovery reaches from it to now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.drilled import last_drill
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


def judge_backups(stored: Stored, use: ArchiveUse | None, now: datetime) -> tuple[Check, ...]:
    """Age of the newest good physical backup, gaps that no backup has behind it, and a last drill that failed."""
    backups = [each for each in stored.backups() if not (use and use.system) or each.system == use.system]
    return (*_age_and_gaps(stored, use, now), *_drill(backups))


def _age_and_gaps(stored: Stored, use: ArchiveUse | None, now: datetime) -> tuple[Check, ...]:
    good = [each for each in stored.backups() if each.kind is not Kind.LOGICAL and each.status is Status.OK]
    if not good:
        return (Check("backup", model.Status.WARN, "there is no good backup", "stackctl backup"),)
    if use and use.system and use.system not in {backup.system for backup in good}:
        return (_of_another(good[-1], use.system), _gaps(gap_warnings(held_archives(stored, use))))
    good = [each for each in good if not (use and use.system) or each.system == use.system]
    days = (now.astimezone(UTC) - good[-1].finished_at).total_seconds() / 86_400
    status = model.Status.WARN if days > _OLD_DAYS else model.Status.OK
    age = Check("backup", status, f"{good[-1].id} is {_age(days)} old", "stackctl backup" if days > _OLD_DAYS else "")
    return (age, _gaps(gap_warnings(held_archives(stored, use))))


def _drill(backups: Sequence[Backup]) -> tuple[Check, ...]:
    """One check, where a drill was tried."""
    if (last := last_drill(backups)) is None:
        return ()
    if not last.failing:
        return (Check("drill", model.Status.OK, f"{last.backup.id} was restored for a trial and is sound"),)
    evidence = f"{last.backup.id} failed its drill of {spelled(last.at)}: {last.failing}"
    return (Check("drill", model.Status.FAIL, evidence, f"stackctl backup drill {last.backup.id} says why"),)


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


def judge_schedule(folder: Path, stored: Stored) -> tuple[Check, ...]:
    """One check: work on backups whose time passed without it. None where nothing is scheduled, as far as is known."""
    try:
        settings = backup_settings(load_section(folder / PROJECT_FILE, SECTION).keys, folder)
    except ProfileError:
        return ()
    if not settings.schedule:
        return ()
    from stackctl.operations.backups.schedule import late, machine_zone
    from stackctl.settings.schedule import jobs

    now = datetime.now(machine_zone())
    overdue = [job.name for job in late(jobs(settings.schedule), stored.backups(), now)]
    if not overdue:
        return (Check("backup_schedule", model.Status.OK, "all that was due is done"),)
    hint = "stackctl logs scheduler" if settings.scheduled else "does a timer run it? stackctl backup schedule"
    # A drill or an expiry that is late loses nothing yet.
    status = model.Status.FAIL if {"full", "incremental"} & set(overdue) else model.Status.WARN
    return (Check("backup_schedule", status, f"not done when it was due: {', '.join(overdue)}", hint),)
