"""Damage to a file, each with the way back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Undo = Callable[[], object]
Mutation = Callable[[Path], Undo | None]
"""Gives back how to undo it, None where the file is too small for it."""


def flip(path: Path, position: int, bits: int) -> Undo | None:
    """Change bits of one byte; positions count from the end where they are negative, and go round."""
    size = path.stat().st_size
    if size == 0:
        return None

    def change() -> None:
        with path.open("r+b") as file:
            file.seek(position % size)
            byte = file.read(1)[0]
            file.seek(position % size)
            file.write(bytes([byte ^ bits]))

    change()
    return change


def cut_to(path: Path, length: int) -> Undo | None:
    """Cut off what is behind `length`, which goes round as a position does."""
    size = path.stat().st_size
    if size == 0:
        return None
    with path.open("rb") as file:
        file.seek(length % size)
        rest = file.read()
    os.truncate(path, length % size)
    return lambda: _append(path, rest)


def grow(path: Path) -> Undo:
    """One byte more at the end."""
    size = path.stat().st_size
    _append(path, b"\0")
    return lambda: os.truncate(path, size)


def remove(path: Path) -> Undo:
    """Take the file away, to a folder of the same disk that no verification reads."""
    folder = Path(tempfile.mkdtemp(prefix="away-", dir="/var/tmp"))
    path.rename(folder / path.name)

    def undo() -> None:
        (folder / path.name).rename(path)
        folder.rmdir()

    return undo


@contextmanager
def mutated(paths: list[Path], mutation: Mutation) -> Iterator[list[Path]]:
    """Those of `paths` that the mutation could change, changed for a time."""
    undo = {path: undone for path in paths if (undone := mutation(path)) is not None}
    try:
        yield list(undo)
    finally:
        for undone in undo.values():
            undone()


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
