"""Log files of services: their last lines, and new ones as they come."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO


def tail_files(files: Sequence[Path], lines: int) -> Iterator[str]:
    """The last `lines` of each file; with more than one, each line names its service."""
    for file in files:
        prefix = f"{file.stem} | " if len(files) > 1 else ""
        try:
            with _open(file) as stream:
                for line in deque(stream, lines):
                    yield prefix + line.rstrip("\n")
        except OSError:
            continue


def follow_files(files: Sequence[Path], tail: int) -> Iterator[str]:
    """The last `tail` lines, then new ones as they are written, also over a rotation; without end."""
    places = {file: file.stat().st_size if file.exists() else 0 for file in files}
    if tail:
        yield from tail_files(files, tail)
    while True:
        for file in files:
            prefix = f"{file.stem} | " if len(files) > 1 else ""
            for line in _from(file, places):
                yield prefix + line
        time.sleep(0.3)


def _from(file: Path, places: dict[Path, int]) -> Iterator[str]:
    """Whole lines after the place that was read to; a file that became shorter was rotated."""
    size = file.stat().st_size if file.exists() else 0
    if size < places[file]:
        places[file] = 0
    if size == places[file]:
        return
    with _open(file) as stream:
        stream.seek(places[file])
        while (line := stream.readline()).endswith("\n"):
            places[file] = stream.tell()
            yield line[:-1]


def _open(file: Path) -> TextIO:
    """Open a log; not through a link, as the folder is the services' and the reader may be root."""
    return open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), errors="replace")  # noqa: PTH123
