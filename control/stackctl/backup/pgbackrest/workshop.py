"""Where copies of what pgBackRest has are made: by containers that reach it, and by others that look into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from stackctl.backup.model import Backup
from stackctl.backup.pgbackrest.reading import read_back
from stackctl.backup.pgbackrest.restore import build, replay
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.restore import Replay, Restored, nothing, run_to
from stackctl.backup.target import Target
from stackctl.backup.verify import refuse
from stackctl.engine.base import Note, Programs


@dataclass(frozen=True)
class ContainerWorkshop:
    """A folder of the project, containers that work in it, and those of them that reach the repository."""

    programs: Programs
    reaching: Programs
    tool: Tool
    folder: Path
    note: Note
    compare: bool

    def build(self, backup: Backup) -> Path:
        """Read it back for a trial, and copy, which compares what it copies."""
        if self.compare:
            self.note(f"comparing {backup.id} with its checksums")
            refuse(read_back(self.tool, self.reaching, backup), "stackctl backup verify")
        return build(self.tool, self.reaching, backup, self.folder, self.note)

    def replay(self, backup: Backup, data: Path, goal: Target | None, how: Replay) -> Restored:
        """With WAL from the repository; without any, there is no way to start it.

        It is looked into by another server: code in the copy must not come near the keys, nor have a way out.
        """
        blind = replace(how, inspect=nothing)
        restored = replay(self.tool, self.reaching, backup, data, goal or Target(), self.note, blind)
        if how.inspect is not nothing:
            run_to(self.programs, data, {}, [data.parent], None, self.note, how)
        return restored
