"""What the scheduler remembers over its restarts: what leaves no record in the repository."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from stackctl.backup.catalog import write_whole
from stackctl.backup.model import spelled


@dataclass
class Memory:
    """When each job was last done, and when it was first scheduled; a file in `folder`."""

    folder: Path
    done: dict[str, datetime] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)

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

    def _save(self) -> None:
        pairs = {"done": self.done, "seen": self.seen}
        data = {key: {name: spelled(moment) for name, moment in each.items()} for key, each in pairs.items()}
        write_whole(self.folder / _FILE, (json.dumps(data, indent=1) + "\n").encode())


_FILE = "done.json"


def recall(folder: Path) -> Memory:
    """The memory in `folder`; an empty one where none can be read, as nothing but time is lost with it."""
    try:
        found = json.loads((folder / _FILE).read_text())
        return Memory(folder, _moments(found["done"]), _moments(found["seen"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory(folder)


def _moments(found: dict[str, str]) -> dict[str, datetime]:
    return {name: datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for name, text in found.items()}
