"""What is known of one backup."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from stackctl.backup.wal_name import Lsn, lsn

DRILLED = ("rto_seconds", "rpo_seconds", "drill_failed", "drill_tried_at", "drill_failing")


class Kind(StrEnum):
    """What was taken: all files, what changed since another backup, or a dump."""

    FULL = "full"
    INCREMENTAL = "incremental"
    LOGICAL = "logical"


class Status(StrEnum):
    """Whether it can be trusted: `ok` was verified after it was taken, `damaged` was found to be broken since."""

    OK = "ok"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Backup:
    """One finished backup. Times are UTC; `bytes` is its size on disk; `parent` is what an incremental builds on.

    `wal_start` to `wal_stop` on `timeline` is the WAL without which it is not consistent; a dump has none.
    `checksums` is the SHA-256 of its list of checksums. `kept` says why it does not expire; empty for the rule.
    `drilled_at` is its last drill that passed, `rto_seconds` and `rpo_seconds` what that measured; `drill_failed` is
    what one found broken since. `drill_tried_at` is the last one, passed or not, `drill_failing` its first check that
    failed.
    """

    id: str
    kind: Kind
    engine: str
    started_at: datetime
    finished_at: datetime
    bytes: int
    postgres: int
    system: str
    checksums: str
    timeline: int | None = None
    wal_start: Lsn | None = None
    wal_stop: Lsn | None = None
    parent: str | None = None
    status: Status = Status.OK
    verified_at: datetime | None = None
    drilled_at: datetime | None = None
    kept: str = ""
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    drill_failed: str = ""
    drill_tried_at: datetime | None = None
    drill_failing: str = ""

    def as_data(self) -> dict[str, Any]:
        """The backup in types that JSON has. What a drill says is there where it said something."""
        found = {name: _plain(value) for name, value in asdict(self).items()} | {
            "wal_start": str(self.wal_start) if self.wal_start else None,
            "wal_stop": str(self.wal_stop) if self.wal_stop else None,
        }
        # A record that was written before there were drills must still be read as it was written.
        return {name: value for name, value in found.items() if name not in DRILLED or value not in (None, "")}


def backup_of(found: Mapping[str, Any]) -> Backup:
    """The backup that `as_data` described. Raises ValueError, KeyError or TypeError where it is none."""
    unknown = set(found) - {field.name for field in fields(Backup)}
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    times = ("started_at", "finished_at", "verified_at", "drilled_at")
    return Backup(
        **{
            **found,
            "kind": Kind(found["kind"]),
            "status": Status(found["status"]),
            "wal_start": _position(found["wal_start"]),
            "wal_stop": _position(found["wal_stop"]),
            **{name: _time(found[name]) for name in times},
            "drill_tried_at": _time(found.get("drill_tried_at")),
        }
    )


def spelled(moment: datetime) -> str:
    """A moment as it is written: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """Read what `spelled` wrote. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    return spelled(value) if isinstance(value, datetime) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else moment_of(text)


def _position(text: str | None) -> Lsn | None:
    return None if text is None else lsn(text)
