"""A data directory out of a repository of pgBackRest, recovered and checked like any other."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from stackctl import assets
from stackctl.backup.model import Backup
from stackctl.backup.pgbackrest.reading import read_back
from stackctl.backup.pgbackrest.stored import StanzaStored
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.progress import growing
from stackctl.backup.restore import Replay, Restored, ask_for_recovery, run_to
from stackctl.backup.target import Target
from stackctl.backup.verify import refuse
from stackctl.engine.base import Note, Programs
from stackctl.errors import Damaged, StackError
from stackctl.render.pgbackrest import words

_SUMS, _SCRIPT = "archived", "get-wal"


def build(tool: Tool, programs: Programs, backup: Backup, folder: Path, note: Note) -> Path:
    """Copy `backup` into `folder`, with all that it is built on; pgBackRest compares each file with its checksum."""
    data = folder / "data"
    programs.claim(data)
    note(f"copying {backup.id} from {tool.where}")
    options = (f"--set={backup.id}", f"--pg1-path={data}", "--type=none")
    try:
        with growing(data, note, StanzaStored(tool).built_bytes([backup])):
            tool.work(programs, "restore", *options, folders=[data])
    except StackError:
        # Of damage it says what its library tripped over. Its own verification says what is damaged.
        refuse(read_back(tool, programs, backup), "restore another backup with --backup; stackctl backup verify")
        raise
    return data


def replay(
    tool: Tool, programs: Programs, backup: Backup, data: Path, goal: Target, note: Note, how: Replay
) -> Restored:
    """Start the copy, replay the WAL to `goal`, and stop it. Raises Damaged, or why the store cannot be read."""
    ask_for_recovery(data)
    programs.own(data / "recovery.signal")
    settings = _recovery(tool, backup, data, goal, how.timeline)
    try:
        return run_to(programs, data, settings, [data.parent], goal, note, how)
    except Damaged:
        # The server only knows that it did not get a file. A store that does not answer is no damage.
        StanzaStored(tool).entries()
        raise


def get_wal(tool: Tool, backup: Backup, data: Path) -> str:
    """The command that brings %f of the archive to %p; what it needs is put beside `data`."""
    stored = StanzaStored(tool)
    archive = stored.archive(backup.system)
    sums, script = data.with_name(_SUMS), data.with_name(_SCRIPT)
    known = [*archive.sums(), *stored.noted(backup)]
    sums.write_text("".join(f"{name} {digest}\n" for name, digest in known))
    sums.chmod(0o644)
    script.write_bytes((assets.root() / "config" / "pgbackrest" / _SCRIPT).read_bytes())
    script.chmod(0o755)
    folders = " ".join(f"archive/{tool.stanza}/{each}" for each in stored.archives(backup.system))
    start, end = (["sh", str(script), str(sums), str(data), folders], words(tool.stanza))
    return " %f %p ".join(shlex.join(each).replace("%", "%%") for each in (start, end))


def _recovery(tool: Tool, backup: Backup, data: Path, goal: Target, timeline: int | None) -> Mapping[str, str]:
    return {
        "restore_command": get_wal(tool, backup, data),
        "recovery_target_action": "promote",
        "recovery_target_timeline": str(timeline or "latest"),
        **goal.settings(),
    }
