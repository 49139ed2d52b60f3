"""Room on the repository's disk before a copy is begun: what the database needs there stays free."""

from __future__ import annotations

import re
from pathlib import Path

from stackctl.engine.base import Engine
from stackctl.errors import BackupFailed
from stackctl.hardware.detect import free_disk, on_one_device, total_disk
from stackctl.settings.backup import INSIDE
from stackctl.sizing.ballast import ballast_size
from stackctl.units import Bytes, human

_COMMAND = "SELECT current_setting('archive_command') AS command"
# The last number of our own command, in kB: what the archive leaves free on the disk of the data.
_RESERVE = re.compile(r" %p %f [0-9]+ ([0-9]+)(?: |$)")
# The reserve is this part of the disk, as archive_reserve has it.
_PARTS = 20


def kept_free(engine: Engine, root: Path) -> Bytes:
    """Bytes on the disk of the repository that are the database's: none where that is not the disk of the data.

    The archive gives segments up before it takes them, and so does a backup.
    """
    inside = engine.name == INSIDE
    beside = None if inside else on_one_device(root, engine.data_place())
    if beside is False:
        return Bytes(0)
    (row,) = engine.query(_COMMAND)
    found = _RESERVE.search(row["command"])
    reserve = int(found[1]) * 1024 if found else 0
    if beside is None:
        # Nobody can tell here whether it is. Where it is, it is a part of this disk.
        return Bytes(min(reserve, total_disk(root) // _PARTS))
    missing = ballast_size(reserve * _PARTS) - engine.ballast().held() if reserve else 0
    return Bytes(reserve + max(0, missing))


def refuse_without_room(engine: Engine, root: Path, size: int = 0) -> None:
    """Raise BackupFailed where a copy of `size` bytes, or of nobody knows how many, would take what is kept free."""
    kept, free = kept_free(engine, root), free_disk(root)
    if free >= size + kept:
        return
    needs = [f"a copy of the data needs {human(Bytes(size))}"] if size else []
    stays = [f"{human(kept)} stay free for the database"] if kept else []
    raise BackupFailed(
        f"{root}: {human(free)} are free, {' and '.join([*needs, *stays])}",
        hint="free some space, or: stackctl backup expire --apply; earlier backups are as they were",
        code="no_room",
    )
