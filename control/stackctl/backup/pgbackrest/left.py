"""What killed runs left: at work in containers, on disks, and out of sight of whoever runs next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.backup.pgbackrest.copies import left_copies
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.engine.base import Note
from stackctl.engine.inside.container import container
from stackctl.errors import Locked

_MARK = "beside"
_STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::float AS at"


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """As long as a backup is at work in the database's container, a file in `folder` says so.

    Where its run is killed it goes on, the file stays, and the scheduler's container cannot see anything else of it.
    """
    if container():
        # What is at work there ends with its run.
        yield
        return
    mark = folder / _MARK
    mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def tidy(tool: Tool, folder: Path, note: Note) -> None:
    """End and remove it. Raises Locked where only a run on the machine itself could."""
    within = bool(container())
    if within:
        _refuse_unseen(tool, folder / _MARK)
    left = left_copies(folder, elsewhere=not within)
    with tool.engine.programs() as programs:
        if programs.end_orphans():
            note("ended what an interrupted run had left at work")
        programs.end_strays([each.folder for each in left])
    if not within:
        (folder / _MARK).unlink(missing_ok=True)
    for copy in left:
        note(copy.remove())


def _refuse_unseen(tool: Tool, mark: Path) -> None:
    """At its end, such a backup writes its list over all that was noted meanwhile. It ended where the server did."""
    try:
        since = mark.stat().st_mtime
    except FileNotFoundError:
        return
    (server,) = tool.engine.query(_STARTED)
    if since > server["at"]:
        raise Locked(
            f"a backup whose run was killed may be at work in the database's container, since {mark} was written",
            hint="any stackctl backup command on the machine itself, such as verify, ends it",
        )
    mark.unlink(missing_ok=True)
