"""`stackctl backup schedule`: what is due when, what was missed, and the same for systemd and cron."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from stackctl.backup.considered import of_cluster, past
from stackctl.backup.model import Backup, spelled
from stackctl.engine.base import ServiceState
from stackctl.engine.beat import FOLDER
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.backups.expire import own_cluster
from stackctl.operations.result import Line, Request, Result, Table
from stackctl.operations.scheduling.due import done_at
from stackctl.operations.scheduling.memory import recall
from stackctl.render.stack import SCHEDULER
from stackctl.render.timers import crontab, units
from stackctl.settings.schedule import Job, jobs

_LOCALTIME = Path("/etc/localtime")
# What is due has this long to be done.
_GRACE = timedelta(hours=3)


def schedule_command(request: Request, runner: Runner) -> Result:
    """Each job with its next time, whether its last one was missed, and whether the stack's scheduler runs."""
    opened = open_backups(request, runner)
    now, private = datetime.now(machine_zone()), opened.recorded.project.private
    backups = past(of_cluster(opened.backups.stored().backups(), own_cluster(opened)), now)
    remembered = recall(private / FOLDER).done
    entries = [_entry(job, backups, remembered, now) for job in _jobs(opened)]
    running = scheduler_state(opened.engine.services())
    rows = [
        [entry["job"], entry["cron"], entry["next_at"], entry["done_at"] or "-", entry["state"]] for entry in entries
    ]
    table = Table(["job", "cron", "next", "last done", "state"], rows)
    line = _running(running, inside=opened.settings.scheduled)
    return Result({"jobs": entries, "scheduler": running}, [table, line], opened.recorded.warnings)


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
    """Jobs whose last time passed without the work being done since; `now` has the machine's zone.

    What is dated in the future is not there.
    """
    known = past(backups, now)
    return [job for job in scheduled if _state(job, done_at(job, known), known, now) == "late"]


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


def scheduler_state(services: Sequence[ServiceState]) -> str | None:
    """How the stack's scheduler is, None where there is none."""
    return next((each.state for each in services if each.name == SCHEDULER), None)


def _running(state: str | None, *, inside: bool) -> Line:
    if state is not None:
        more = "" if state == "running" else "; stackctl logs scheduler"
        return Line(f"The stack's scheduler runs it: {state}{more}", "plain" if state == "running" else "bad")
    if inside:
        return Line("Nothing runs it: stackctl up starts the stack's scheduler.", "bad")
    return Line("Not the stack runs it: stackctl backup schedule --systemd (or --crontab) prints what may.")


def _entry(job: Job, backups: Sequence[Backup], remembered: Mapping[str, datetime], now: datetime) -> dict[str, Any]:
    # What expires leaves no record but in the scheduler's memory.
    done = remembered.get(job.name) if job.name == "expire" else done_at(job, backups)
    return {
        "job": job.name,
        "cron": job.expression,
        "command": " ".join(("stackctl", *job.command)),
        "next_at": spelled(job.next_after(now)),
        "done_at": spelled(done) if done else None,
        "state": _state(job, done, backups, now),
    }


def _state(job: Job, done: datetime | None, backups: Sequence[Backup], now: datetime) -> str:
    if job.name == "expire" and done is None:
        return "not recorded"
    missed = job.last_before(now - _GRACE)
    # What was never done counts from the first backup on: nobody is late for a time before that.
    since = done or min((backup.started_at for backup in backups), default=now)
    if since < missed:
        return "late"
    return "done" if done is not None and done >= job.last_before(now) else "due"
