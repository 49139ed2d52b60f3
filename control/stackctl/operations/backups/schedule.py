"""`stackctl backup schedule`: what is due when, what was missed, and the same for systemd and cron."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from stackctl.backup.model import Backup, Kind, Status, spelled
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.render.timers import crontab, units
from stackctl.settings.schedule import Job, jobs

_LOCALTIME = Path("/etc/localtime")
# What is due has this long to be done.
_GRACE = timedelta(hours=3)


def schedule_command(request: Request, runner: Runner) -> Result:
    """Each job with its next time, and whether its last one was missed."""
    opened = open_backups(request, runner)
    now = datetime.now(machine_zone())
    entries = [_entry(job, opened.repository.backups(), now) for job in _jobs(opened)]
    rows = [
        [entry["job"], entry["cron"], entry["next_at"], entry["done_at"] or "-", entry["state"]] for entry in entries
    ]
    hint = Line("next: stackctl backup schedule --systemd (or --crontab) prints what runs it")
    return Result(
        {"jobs": entries}, [Table(["job", "cron", "next", "last done", "state"], rows), hint], opened.recorded.warnings
    )


def systemd_command(request: Request, runner: Runner) -> Result:
    """The units that run the schedule, each with the place where it belongs."""
    opened = open_backups(request, runner)
    user = pwd.getpwuid(os.geteuid()).pw_name
    found = units(opened.recorded.project.name, user, _program(opened), _jobs(opened))
    lines = [Line(f"# /etc/systemd/system/{name}\n{text}", "verbatim") for name, text in found.items()]
    return Result({"units": dict(found)}, lines, opened.recorded.warnings)


def crontab_command(request: Request, runner: Runner) -> Result:
    """The lines of a crontab that run the schedule."""
    opened = open_backups(request, runner)
    text = crontab(opened.recorded.project.name, _program(opened), _jobs(opened))
    return Result({"crontab": text}, [Line(text.rstrip("\n"), "verbatim")], opened.recorded.warnings)


def late(scheduled: Sequence[Job], backups: Sequence[Backup], now: datetime) -> list[Job]:
    """Jobs whose last time passed without the work being done since; `now` has the machine's zone."""
    return [job for job in scheduled if _state(job, backups, now) == "late"]


def machine_zone() -> tzinfo:
    """The zone of the machine's clock, with its summer time: what cron and systemd go by."""
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def _jobs(opened: Opened) -> tuple[Job, ...]:
    found = jobs(opened.settings.schedule)
    if not found:
        raise ProfileError(
            "stackctl.yaml: backup.schedule has no jobs", hint="write such as schedule: {full: 15 2 * * *} below backup"
        )
    return found


def _program(opened: Opened) -> list[str]:
    words = [sys.executable, "-m", "stackctl", "--project", str(opened.recorded.project.folder)]
    if not all(word.isprintable() for word in words):
        # A line break would begin a line of its own in the unit.
        raise ProfileError(
            f"{words[-1]!r} has characters that no unit or crontab can hold", hint="give the folder another name"
        )
    return words


def _entry(job: Job, backups: Sequence[Backup], now: datetime) -> dict[str, Any]:
    done = _done(job, backups)
    return {
        "job": job.name,
        "cron": job.expression,
        "command": " ".join(("stackctl", *job.command)),
        "next_at": spelled(job.next_after(now)),
        "done_at": spelled(done) if done else None,
        "state": _state(job, backups, now),
    }


def _state(job: Job, backups: Sequence[Backup], now: datetime) -> str:
    if job.name == "expire":
        return "not recorded"
    done, missed = _done(job, backups), job.last_before(now - _GRACE)
    # What was never done counts from the first backup on: nobody is late for a time before that.
    since = done or min((backup.started_at for backup in backups), default=now)
    if since < missed:
        return "late"
    return "done" if done is not None and done >= job.last_before(now) else "due"


def _done(job: Job, backups: Sequence[Backup]) -> datetime | None:
    if job.name == "expire":
        return None
    if job.name == "verify":
        # It reads all of them; each is verified also when it is taken.
        read = [backup.verified_at for backup in backups]
        return None if None in read else min((moment for moment in read if moment is not None), default=None)
    if job.name == "drill":
        moments = [backup.drilled_at for backup in backups]
    else:
        # A full backup is as good as an incremental one.
        kinds = {Kind(job.name), Kind.FULL} if job.name == "incremental" else {Kind(job.name)}
        moments = [each.finished_at for each in backups if each.kind in kinds and each.status is Status.OK]
    return max((moment for moment in moments if moment is not None), default=None)
