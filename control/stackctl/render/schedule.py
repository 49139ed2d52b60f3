"""What the scheduler's files say of the project: its section `backup`, and of its state only what backups need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from stackctl.settings.backup import INSIDE, BackupSettings
from stackctl.settings.pgbackrest import PGBACKREST, PgBackRest

_SPANS = (("w", timedelta(weeks=1)), ("d", timedelta(days=1)), ("h", timedelta(hours=1)))


def section(settings: BackupSettings) -> Mapping[str, Any]:
    """The section `backup` with everything written out. A folder as the repository is told the container otherwise."""
    return {
        **_program(settings.pgbackrest),
        "recovery_window": _span(settings.window),
        "redundancy": settings.redundancy,
        "minimum": settings.minimum,
        "weekly": settings.weekly,
        "monthly": settings.monthly,
        **({} if settings.pgbackrest else {"pace": settings.pace}),
        "schedule": dict(settings.schedule),
        "drill_sql": dict(settings.questions),
    }


def state(name: str, postgres: int, generation: int, *, accepted: bool) -> Mapping[str, Any]:
    """A state for the engine `inside`: which version is backed up, and whether it may be."""
    return {
        "name": name,
        "engine": INSIDE,
        "reason": "the scheduler's container",
        "versions": {INSIDE: postgres},
        "data": {INSIDE: {"current": generation, "accepted": accepted}},
    }


def _program(chosen: PgBackRest | None) -> Mapping[str, Any]:
    """What says that pgBackRest takes them, and the name of the store; what opens that is mounted."""
    if chosen is None:
        return {}
    store = {"repository": str(chosen.remote)} if chosen.remote else {}
    named = {"engine": PGBACKREST, "encryption": chosen.encryption, "compression": chosen.compression}
    return {**named, **store, **chosen.options}


def _span(window: timedelta) -> str:
    letter, unit = next((letter, unit) for letter, unit in _SPANS if not window % unit)
    return f"{window // unit}{letter}"
