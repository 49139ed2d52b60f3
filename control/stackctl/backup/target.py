"""What to recover to: the end, a time, a position, a name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stackctl.backup.wal_name import Lsn, lsn
from stackctl.errors import RestoreRefused

_HINT = "latest, 2026-03-01T12:00:00Z, '2026-03-01 13:00:00+01:00', lsn:16/B374D848 or name:before-release"


@dataclass(frozen=True)
class Target:
    """One of `time`, `position` and `name`; none of them is the end of the WAL."""

    time: datetime | None = None
    position: Lsn | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.time is not None:
            return self.time.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
        if self.position is not None:
            return f"lsn:{self.position}"
        return f"name:{self.name}" if self.name is not None else "latest"

    def settings(self) -> Mapping[str, str]:
        """The server's settings that lead there."""
        if self.time is not None:
            return {"recovery_target_time": str(self)}
        if self.position is not None:
            return {"recovery_target_lsn": str(self.position)}
        return {"recovery_target_name": self.name} if self.name is not None else {}


def target(text: str) -> Target:
    """Read what `--to` was given. Raises RestoreRefused for a time without a zone, and for what is nothing of these."""
    if text == "latest":
        return Target()
    kind, _, rest = text.partition(":")
    if kind == "name" and 0 < len(rest) < 64:
        return Target(name=rest)
    try:
        if kind == "lsn":
            return Target(position=lsn(rest))
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RestoreRefused(f"--to {text!r} is no target", hint=_HINT) from error
    if moment.tzinfo is None:
        raise RestoreRefused(
            f"--to {text!r} has no time zone", hint=f"{text}Z is UTC; {text}+01:00 is an hour before it"
        )
    return Target(time=moment.astimezone(UTC))
