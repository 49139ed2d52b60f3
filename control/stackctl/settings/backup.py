"""The section `backup` of the project file: where backups are, how long they stay, what a drill asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePath

from stackctl.hardware.model import Backlog, Wal
from stackctl.settings import pgbackrest as other
from stackctl.settings.layers import Given
from stackctl.settings.pgbackrest import PgBackRest
from stackctl.settings.values import Fault, choice, nearest, whole

SECTION = "backup"
QUESTION = f"{SECTION}.drill_sql."
WAL = f"{SECTION}.wal"
BACKLOG = f"{SECTION}.backlog"
SCHEDULE = f"{SECTION}.schedule."
WINDOW_PATTERN = r"^\s*[0-9]{1,4}\s*[hdw]\s*$"
MOST = 1000
GENTLE, FULL = "gentle", "full"
PACES = (GENTLE, FULL)
# Also the name of the engine of the scheduler's container.
SCHEDULERS = (INSIDE := "inside", "none")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class BackupSettings:
    """What the project says of its backups. `repository` is None for the engine's own place, and for an object store.

    `pace` says whether a copy gives way to the database's own work. `questions` are the queries of a drill by name:
    each must be true. `schedule` has a cron expression for each job, and `scheduler` says whether a service of the
    stack runs it, or something else. `pgbackrest` is None where the native engine takes the backups.
    """

    repository: Path | None = None
    window: timedelta = timedelta(days=14)
    redundancy: int = 2
    minimum: int = 2
    weekly: int = 0
    monthly: int = 0
    pace: str = GENTLE
    questions: Mapping[str, str] = field(default_factory=dict)
    schedule: Mapping[str, str] = field(default_factory=dict)
    scheduler: str = INSIDE
    pgbackrest: PgBackRest | None = None

    @property
    def scheduled(self) -> bool:
        """Whether the stack has a service for the schedule."""
        return bool(self.schedule) and self.scheduler == INSIDE


def repository(text: str) -> PurePath | None:
    """The folder of the backups: absolute, or below the project's folder; None for an object store."""
    if other.is_url(text):
        other.remote(text)
        return None
    path = PurePath(text.strip())
    if not path.name or ".." in path.parts:
        raise Fault(f"{text!r} is no folder for backups", "write an absolute path such as /srv/backups")
    if path.parts[0].startswith("~") or "$" in text:
        raise Fault(f"{text!r} is not written out", "write the whole path: no ~ and no variables are read here")
    if path.parts[0] == ".stackctl" or not text.isprintable():
        raise Fault(f"{text!r} is no place for backups", "write a folder of its own, such as /srv/backups")
    return path


def window(text: str) -> timedelta:
    """How far back recovery must be possible."""
    match = re.fullmatch(r"([0-9]{1,4})\s*([hdw])", text.strip())
    if match is None:
        number = text.strip() if re.fullmatch(r"[0-9]{1,4}", text.strip()) else "14"
        raise Fault(f"{text!r} is no span of time", f"write {number}d, with h, d or w for hours, days or weeks")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def at_least_one(text: str) -> int:
    """How many stay whatever happens: none is no backup."""
    return whole(text, 1, MOST)


def none_or_more(text: str) -> int:
    """How many more stay."""
    return whole(text, 0, MOST)


def pace(text: str) -> str:
    """Whether a copy gives way to the database's own work, or goes as fast as it can."""
    if text.strip() not in PACES:
        raise Fault(f"{text!r} is no pace", nearest(text.strip(), PACES))
    return text.strip()


def scheduler(text: str) -> str:
    """What runs the schedule."""
    if text not in SCHEDULERS:
        raise Fault(f"{text!r} is not one of {', '.join(SCHEDULERS)}", nearest(text, SCHEDULERS))
    return text


def question(text: str) -> str:
    """A query, without the semicolon at its end."""
    query = text.strip().removesuffix(";").strip()
    if not query:
        raise Fault("is empty", "write a query that is true where the data is right")
    return query


def question_name(text: str) -> str:
    """The name that a result of a drill has."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text):
        raise Fault("is no name for a query", "use letters, digits, _ and -")
    return text


def wal(text: str) -> Wal:
    """How WAL leaves the server."""
    return Wal(choice(text, Wal))


def backlog(text: str) -> Backlog:
    """What becomes of WAL that cannot be archived and would fill the disk."""
    return Backlog(choice(text, Backlog))


def job(text: str) -> str:
    """The name of work that can be scheduled."""
    from stackctl.settings.schedule import COMMANDS

    if text not in COMMANDS:
        raise Fault("is nothing that can be scheduled", nearest(text, COMMANDS))
    return text


def cron_expression(text: str) -> str:
    """Five fields: minute, hour, day of the month, month, day of the week."""
    from stackctl.settings.schedule import check_expression

    try:
        return check_expression(text)
    except ValueError as error:
        raise Fault(f"{text!r} is no cron expression: {error}", "write such as '15 2 * * *', daily at 02:15") from None


READERS: Mapping[str, Callable[[str], object]] = {
    "repository": repository,
    "window": window,
    "redundancy": at_least_one,
    "minimum": at_least_one,
    "weekly": none_or_more,
    "monthly": none_or_more,
    "pace": pace,
    "scheduler": scheduler,
}
_KEYS = {"window": "recovery_window"}


def backup_settings(keys: Mapping[str, Given], project: Path) -> BackupSettings:
    """The settings of what the project file in `project` gives; its texts were checked when it was read."""
    found = {
        name: read(given.text)
        for name, read in READERS.items()
        if (given := keys.get(f"{SECTION}.{_KEYS.get(name, name)}")) is not None
    }
    if found.get("repository"):
        found["repository"] = project / str(found["repository"])
    questions = {
        key.removeprefix(QUESTION): question(given.text) for key, given in keys.items() if key.startswith(QUESTION)
    }
    schedule = {
        key.removeprefix(SCHEDULE): cron_expression(given.text)
        for key, given in keys.items()
        if key.startswith(SCHEDULE)
    }
    pgbackrest = other.pgbackrest(keys)
    return BackupSettings(**found, questions=questions, schedule=schedule, pgbackrest=pgbackrest)  # type: ignore[arg-type]
