"""A repository of pgBackRest as the program would list it, without the program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stackctl.backup.pgbackrest.stored import StanzaStored

HEX = "0" * 40


@dataclass
class Stanza:
    """What `info`, `repo-ls` and `repo-get` print. Cluster SYSTEM has the archive of its place in `systems`."""

    systems: Sequence[str] = ("7",)
    backups: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    where: str = "s3://shop"
    stanza: str = "shop"
    folder: Path | None = None

    def ask(self, command: str, *rest: str) -> str:
        if command == "info":
            db = [{"id": self._id(system), "system-id": int(system), "version": "17"} for system in self.systems]
            return json.dumps([{"db": db, "backup": self.backups, "repo": []}])
        if command == "repo-ls":
            return json.dumps({path: {"type": "file", "size": 1000, "time": 1} for path in self.files})
        assert command == "repo-get", command
        return self.files[rest[0].removeprefix("archive/shop/")]

    def stored(self) -> StanzaStored:
        return StanzaStored(self)  # type: ignore[arg-type]

    def take(
        self,
        label: str,
        finished: datetime,
        *,
        system: str = "7",
        timeline: int = 1,
        segment: int = 2,
        notes: Mapping[str, str] | None = None,
    ) -> str:
        """A full backup of `system`, from the beginning of one segment to a little behind it."""
        seconds, name = int(finished.timestamp()), f"{timeline:08X}{0:08X}{segment:08X}"
        self.backups.append(
            {
                "annotation": dict(notes) if notes else None,
                "archive": {"start": name, "stop": name},
                "database": {"id": self._id(system)},
                "error": False,
                "info": {"repository": {"delta": 5000}, "size": 9000},
                "label": label,
                "lsn": {"start": f"0/{segment:X}000028", "stop": f"0/{segment:X}000120"},
                "prior": None,
                "timestamp": {"start": seconds - 90, "stop": seconds},
                "type": "full",
            }
        )
        return label

    def archive(self, *segments: int, system: str = "7", timeline: int = 1) -> None:
        """Segments of `system`, compressed."""
        for number in segments:
            name = f"{timeline:08X}{number // 256:08X}{number % 256:08X}"
            self.files[f"17-{self._id(system)}/{name[:16]}/{name}-{HEX}.zst"] = ""

    def history(self, timeline: int, text: str, system: str = "7") -> None:
        """Where a timeline branched off."""
        self.files[f"17-{self._id(system)}/{timeline:08X}.history"] = text

    def _id(self, system: str) -> int:
        return list(self.systems).index(system) + 1
