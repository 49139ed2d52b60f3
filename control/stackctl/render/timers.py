"""A schedule as the units of systemd, or as lines of a crontab."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from stackctl.settings.schedule import Job

# Another run holds the lock: the work is done when it has ended.
_LOCKED = 44
_RETRY_SECONDS = 60

_SERVICE = """\
[Unit]
Description=stackctl: {name} of {project}
After=network.target docker.service

[Service]
Type=exec
User={user}
ExecStart={command}
RestartForceExitStatus={locked}
RestartSec={retry}
"""
_TIMER = """\
[Unit]
Description=stackctl: when {name} of {project} is due

[Timer]
{calendar}
Persistent=true

[Install]
WantedBy=timers.target
"""


def units(project: str, user: str, program: Sequence[str], jobs: Sequence[Job]) -> Mapping[str, str]:
    """Two units for each job by file name. `program` is the command line up to the job's own words.

    A run that was missed while the machine was off is made up for at its next start.
    """
    found = {}
    for job in jobs:
        unit = f"stackctl-{project}-{job.name}"
        words = {"name": job.name, "project": project}
        command = " ".join(_unit_word(word) for word in (*program, *job.command))
        found[f"{unit}.service"] = _SERVICE.format(
            **words, user=user, command=command, locked=_LOCKED, retry=_RETRY_SECONDS
        )
        calendar = "\n".join(f"OnCalendar={times}" for times in job.on_calendar())
        found[f"{unit}.timer"] = _TIMER.format(**words, calendar=calendar)
    return found


def crontab(project: str, program: Sequence[str], jobs: Sequence[Job]) -> str:
    """A line for each job. What is missed while the machine is off, cron does not make up for."""
    lines = [f"# stackctl: {project}"]
    for job in jobs:
        command = shlex.join((*program, *job.command))
        # A percent sign would end the command.
        lines.append(f"{job.expression} {command}".replace("%", "\\%"))
    return "\n".join(lines) + "\n"


def _unit_word(word: str) -> str:
    # systemd expands % and $ also inside of quotes.
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return safe if word and not set(word) & set(" \t\"'\\;") else f'"{safe}"'
