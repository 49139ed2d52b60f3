"""What the scheduler remembers over its restarts: what leaves no record in the repository."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from stackctl.backup.catalog import write_whole
from stackctl.backup.model import moment_of, spelled

_QUIET = timedelta(days=2)
# A moment from further ahead was written under a clock that was wrong.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Heals:
    """Full backups for gaps, of which each is kept for as long as the policy says: how many soon after each other."""

    times: int = 0
    last: datetime | None = None

    def next(self, now: datetime) -> Heals:
        """With one more; after two days without any, the first again."""
        soon = self.last is not None and now - self.last < _QUIET
        return Heals(self.times + 1 if soon else 1, now)

    def wait(self, now: datetime) -> bool:
        """Whether the next has to: 1, 2, 4 ... 24 hours after the last, the longer the more gaps come."""
        if self.last is None or self.last > now + _AHEAD:
            return False
        hours = min(2 ** min(self.times - 1, 5), 24)
        return now < self.last + timedelta(hours=hours)


@dataclass
class Memory:
    """When each job was last done, when it was first scheduled, the gaps that were healed; a file in `folder`.

    `system` is the cluster whose backups are taken, empty before it was ever asked.
    """

    folder: Path
    done: dict[str, datetime] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)
    heals: Heals = Heals()
    system: str = ""

    def note_seen(self, names: Collection[str], now: datetime) -> None:
        """Let the times of a job that is new count from now on, and forget those that are gone. Raises OSError."""
        seen = {name: min(self.seen.get(name, now), now) for name in names}
        if seen != self.seen:
            self.seen = seen
            self._save()

    def note_done(self, name: str, now: datetime) -> None:
        """Raises OSError."""
        self.done[name] = now
        self._save()

    def note_heal(self, now: datetime) -> None:
        """Raises OSError."""
        self.heals = self.heals.next(now)
        self._save()

    def note_system(self, system: str) -> None:
        """Raises OSError."""
        if system != self.system:
            self.system = system
            self._save()

    def _save(self) -> None:
        pairs = {"done": self.done, "seen": self.seen}
        data: dict[str, Any] = {
            key: {name: spelled(moment) for name, moment in each.items()} for key, each in pairs.items()
        }
        if self.system:
            data["system"] = self.system
        if self.heals.last is not None:
            data["heals"] = {"times": self.heals.times, "last": spelled(self.heals.last)}
        write_whole(self.folder / _FILE, (json.dumps(data, indent=1) + "\n").encode())


_FILE = "done.json"


def recall(folder: Path) -> Memory:
    """The memory in `folder`; an empty one where none can be read, as nothing but time is lost with it."""
    try:
        found = json.loads((folder / _FILE).read_text())
        system = found.get("system", "")
        return Memory(
            folder,
            _moments(found["done"]),
            _moments(found["seen"]),
            _heals(found.get("heals")),
            system if isinstance(system, str) else "",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory(folder)


def _moments(found: dict[str, str]) -> dict[str, datetime]:
    return {name: moment_of(text) for name, text in found.items()}


def _heals(found: dict[str, Any] | None) -> Heals:
    # An earlier version noted none.
    return Heals(max(1, int(found["times"])), moment_of(found["last"])) if found else Heals()
