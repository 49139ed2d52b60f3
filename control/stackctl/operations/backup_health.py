"""Whether there is a backup, how old it is, and whether recovery reaches from it to now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.considered import ahead, of_cluster, past
from stackctl.backup.drilled import last_drill
from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.backup.protocol import Stored
from stackctl.backup.retention import restorable
from stackctl.errors import Problem, ProfileError
from stackctl.health import model
from stackctl.health.archiving import ArchiveUse
from stackctl.health.model import Check
from stackctl.operations.archives import gap_warnings, held_archives
from stackctl.settings.backup import SECTION, BackupSettings, backup_settings
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.project_file import load_section
from stackctl.settings.schedule import Job, jobs
from stackctl.units import counted

_OLD_DAYS = 7.0
# As the alert BackupTooOld has it: the first one of a schedule has a day.
_YOUNG_SECONDS = 86_400
# The newest say enough; `backup list` has all.
_FEW = 3
_PHYSICAL = {"full", "incremental"}
_CLOCK = "see that the clock of this machine is right (date), then take one that is dated right: stackctl backup"


def judge_backups(
    stored: Stored, use: ArchiveUse | None, now: datetime, scheduled: Sequence[Job] = (), *, takes_dumps: bool = True
) -> tuple[Check, ...]:
    """Age of the newest good physical backup, gaps without one behind them, damaged ones, a last drill that failed.

    A backup that is older than it should be fails, as does none where there was one, or where one is scheduled.
    """
    backups = of_cluster(stored.backups(), use.system if use else None)
    return (*_age_and_gaps(stored, backups, use, now, scheduled), *_damaged(backups, takes_dumps), *_drill(backups))


def _age_and_gaps(
    stored: Stored, done: Sequence[Backup], use: ArchiveUse | None, now: datetime, scheduled: Sequence[Job]
) -> tuple[Check, ...]:
    taken = [each for each in stored.backups() if each.kind is not Kind.LOGICAL]
    steps = [job for job in scheduled if job.name in _PHYSICAL]
    good = restorable(stored.backups())
    if not good:
        wanted = bool(taken) or (bool(steps) and not _young(use, now))
        status = model.Status.FAIL if wanted else model.Status.WARN
        return (Check("backup", status, "there is no good backup", "stackctl backup"),)
    if use and use.system and use.system not in {backup.system for backup in good}:
        return (_of_another(good[-1], use.system), _gaps(gap_warnings(held_archives(stored, use))))
    mine = of_cluster(good, use.system if use else None)
    # A job is late by what was done of it, good or not.
    return (_aged(mine, done, now, steps), _gaps(gap_warnings(held_archives(stored, use))))


def _young(use: ArchiveUse | None, now: datetime) -> bool:
    """Whether the data is less than a day old: initdb begins the number of a cluster with its time in Unix seconds."""
    return use is not None and use.system.isdecimal() and now.timestamp() - (int(use.system) >> 32) < _YOUNG_SECONDS


def _aged(good: Sequence[Backup], done: Sequence[Backup], now: datetime, steps: Sequence[Job]) -> Check:
    newest, known = good[-1], past(good, now)
    evidence, days = "", 0.0
    if known:
        days = max(0.0, (now.astimezone(UTC) - known[-1].finished_at).total_seconds() / 86_400)
        evidence = f"{known[-1].id} is {_age(days)} old"
    if ahead(newest, now):
        dated = f"{newest.id} is dated in the future ({spelled(newest.finished_at)}), and nobody knows how old it is"
        return Check("backup", model.Status.WARN, "; ".join(filter(None, (dated, evidence))), _CLOCK)
    if days <= _OLD_DAYS:
        return Check("backup", model.Status.OK, evidence)
    from stackctl.operations.backups.schedule import late, machine_zone

    if steps and not late(steps, done, now.astimezone(machine_zone())):
        return Check("backup", model.Status.OK, f"{evidence}, as backup.schedule has it")
    return Check("backup", model.Status.FAIL, evidence, "stackctl backup")


def _damaged(backups: Sequence[Backup], takes_dumps: bool) -> tuple[Check, ...]:
    """One check, where there are any: nothing looks for them again until the next verification is due."""
    damaged = [each for each in backups if each.status is Status.DAMAGED]
    found, kinds = [each.id for each in damaged], {each.kind for each in damaged}
    if not found:
        return ()
    evidence = f"{counted(len(found), 'backup')} marked damaged: {', '.join(found[-_FEW:])}"
    commands = ["stackctl backup --full"] if kinds - {Kind.LOGICAL} else []
    commands += ["stackctl backup --logical"] if takes_dumps and Kind.LOGICAL in kinds else []
    anew = f", and take a new one: {'; '.join(commands)}" if commands else ""
    hint = f"stackctl backup verify names what is wrong; keep the others{anew}"
    return (Check("backup_damaged", model.Status.WARN, evidence, hint),)


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


def scheduled_jobs(folder: Path) -> Sequence[Job]:
    """The jobs of the project of this folder: none where nothing is scheduled, as far as is known."""
    settings = _settings(folder)
    return jobs(settings.schedule) if settings else ()


def _settings(folder: Path) -> BackupSettings | None:
    try:
        return backup_settings(load_section(folder / PROJECT_FILE, SECTION).keys, folder)
    except ProfileError:
        return None


def judge_schedule(folder: Path, stored: Stored, use: ArchiveUse | None) -> tuple[Check, ...]:
    """One check: work on backups of the running cluster whose time passed without it.

    None where nothing is scheduled, as far as is known.
    """
    settings = _settings(folder)
    if settings is None or not settings.schedule:
        return ()
    from stackctl.operations.backups.schedule import late, machine_zone

    now = datetime.now(machine_zone())
    backups = of_cluster(stored.backups(), use.system if use else None)
    overdue = [job.name for job in late(jobs(settings.schedule), backups, now)]
    if not overdue:
        return (Check("backup_schedule", model.Status.OK, "all that was due is done"),)
    hint = "stackctl logs scheduler" if settings.scheduled else "does a timer run it? stackctl backup schedule"
    # A drill or an expiry that is late loses nothing yet.
    status = model.Status.FAIL if _PHYSICAL & set(overdue) else model.Status.WARN
    return (Check("backup_schedule", status, f"not done when it was due: {', '.join(overdue)}", hint),)
