"""Folders in which copies are made, and what killed runs left of them."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackctl.backup.catalog import write_whole
from stackctl.backup.repository import COPY
from stackctl.engine.base import Programs

_NOTE = "copy-"


@contextmanager
def near(place: Path, programs: Programs, notes: Path | None = None) -> Iterator[Path]:
    """A folder in `place`, on the disk of which the copy is to be; removed at the end, with what was not taken out.

    Where nobody looks for what a killed run left, it is written down in `notes` as long as it is there.
    """
    token = secrets.token_hex(4)
    folder, written = place / f"{COPY}{token}", notes / f"{_NOTE}{token}" if notes else None
    if written:
        write_whole(written, os.fsencode(folder))
    try:
        folder.mkdir(mode=0o700)
        folder.chmod(0o750)
        os.chown(folder, -1, programs.group())
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if written and not folder.exists():
            written.unlink(missing_ok=True)


@dataclass(frozen=True)
class LeftCopy:
    """What a run that was killed left: a copy, and where that was written down."""

    folder: Path
    written: Path | None = None

    def remove(self) -> str:
        """Remove it, and say so, or why it stays. It is tried again where its disk is away."""
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            elif not self.folder.parent.is_dir():
                return f"what an interrupted run left in {self.folder} is out of reach"
            if self.written:
                self.written.unlink(missing_ok=True)
        except OSError as error:
            return f"what an interrupted run left in {self.folder} cannot be removed: {error}"
        return f"removed what an interrupted run left of {self.folder.name}"


def left_copies(place: Path, *, elsewhere: bool = True) -> list[LeftCopy]:
    """What runs that were killed left in `place`, and `elsewhere` as they wrote down there.

    In a container, paths of the machine lead to other places, and say nothing.
    """
    written = sorted(place.glob(f"{_NOTE}*")) if elsewhere else []
    noted = [LeftCopy(Path(os.fsdecode(path.read_bytes())), path) for path in written]
    return [*(LeftCopy(path) for path in sorted(place.glob(f"{COPY}*"))), *noted]
