"""When the work on backups is due: cron expressions, read as Debian's cron reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from cronsim import CronSim, CronSimError

# In the order in which they are done where several are due at once: a drill restores the newest backup, and
# nothing expires before its successor is there.
COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "full": ("backup", "--full"),
        # Where there is nothing to build on, as after a restore, a full one is as good; after other failures it is not.
        "incremental": ("backup", "--incremental", "--or-full"),
        "logical": ("backup", "--logical"),
        "verify": ("backup", "verify"),
        "expire": ("backup", "expire", "--apply"),
        "drill": ("backup", "drill"),
    }
)
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
# Only its sets of numbers are asked.
_ANY = CronSim("* * * * *", datetime(2000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Job:
    """A command of ours at the times of a cron expression, in the time zone of the machine."""

    name: str
    expression: str

    @property
    def command(self) -> tuple[str, ...]:
        """The words behind `stackctl`."""
        return COMMANDS[self.name]

    def next_after(self, moment: datetime) -> datetime:
        """The first time after `moment`, which has a zone; so has what is given back."""
        return next(CronSim(self.expression, moment))

    def last_before(self, moment: datetime) -> datetime:
        """The last time before `moment`."""
        return next(CronSim(self.expression, moment, reverse=True))

    def on_calendar(self) -> tuple[str, ...]:
        """The same times as systemd's `OnCalendar` says them. One line is not enough where either day will do."""
        cron = _parsed(self.expression)
        times = f"{_numbers(cron.hours, _ANY.hours)}:{_numbers(cron.minutes, _ANY.minutes)}:00"
        months, days = _numbers(cron.months, _ANY.months), _numbers(cron.days, _ANY.days)
        weekdays = ",".join(_WEEKDAYS[number] for number in _weekdays(cron))
        any_weekday = len(_weekdays(cron)) == len(_WEEKDAYS)
        if cron.day_and:
            return (f"*-{months}-{days} {times}" if any_weekday else f"{weekdays} *-{months}-{days} {times}",)
        if any_weekday:
            return (f"*-{months}-* {times}",)
        return (f"*-{months}-{days} {times}", f"{weekdays} *-{months}-* {times}")


def jobs(expressions: Mapping[str, str]) -> tuple[Job, ...]:
    """The jobs of a schedule, in the order in which they are done."""
    return tuple(Job(name, expressions[name]) for name in COMMANDS if name in expressions)


def check_expression(text: str) -> str:
    """An expression of five fields. Raises ValueError with what is wrong with it."""
    expression = " ".join(text.split())
    try:
        cron = _parsed(expression)
    except CronSimError as error:
        raise ValueError(str(error).lower()) from error
    if len(expression.split()) != 5:
        raise ValueError("wrong number of fields")
    # "The last day" and "the second Monday" are neither cron's nor systemd's.
    if min(cron.days) < 0 or any(isinstance(day, tuple) for day in cron.weekdays):
        raise ValueError("L and # are not understood by cron")
    if re.search(r"(^|[ ,])[0-9A-Za-z]+/", expression):
        raise ValueError("a step belongs behind a star or a range")
    return expression


def _parsed(expression: str) -> CronSim:
    return CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))


def _numbers(found: set[int], every: set[int]) -> str:
    return "*" if found == every else ",".join(f"{number:02d}" for number in sorted(found))


def _weekdays(cron: CronSim) -> list[int]:
    # Sunday is 0, and 7 as well.
    return sorted({day % 7 for day in cron.weekdays if isinstance(day, int)})
