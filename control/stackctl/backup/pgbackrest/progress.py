"""Progress of a backup that pgBackRest takes beside the server: it keeps a count, and prints nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stackctl.backup.pgbackrest.info import in_progress
from stackctl.backup.pgbackrest.tool import Tool
from stackctl.backup.progress import Progress
from stackctl.engine.base import Note
from stackctl.engine.beside import beside
from stackctl.errors import StackError

_EVERY_SECONDS = 10.0


@contextmanager
def counted(tool: Tool, note: Note, every: float = _EVERY_SECONDS) -> Iterator[None]:
    """Say how far the backup is, for as long as the context lasts."""
    progress = Progress(note)

    def look(over: threading.Event) -> None:
        seen = 0
        while not over.wait(every):
            # It runs where the backup does, as the count is beside its lock. One that fails is asked again.
            with suppress(StackError, ValueError):
                if found := in_progress(tool.look()):
                    done, progress.total = found
                    progress.told(done - seen)
                    seen = done

    with beside(look):
        yield
