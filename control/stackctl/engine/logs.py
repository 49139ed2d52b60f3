"""Log files of services: their last lines, and new ones as they come."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path


def tail_files(files: Sequence[Path], lines: int) -> Iterator[str]:
    """The last `lines` of each file; with more than one, each line names its service."""
    for file in files:
        prefix = f"{file.stem} | " if len(files) > 1 else ""
        try:
            with file.open(errors="replace") as stream:
                for line in deque(stream, lines):
                    yield prefix + line.rstrip("\n")
        except FileNotFoundError:
            continue


def follow_files(files: Sequence[Path]) -> int:
    """Print lines as they are written, from now on, also over a rotation; ends when interrupted."""
    places = {file: file.stat().st_size if file.exists() else 0 for file in files}
    while True:
        for file in files:
            places[file] = _print_from(file, places[file], f"{file.stem} | " if len(files) > 1 else "")
        time.sleep(0.3)


def _print_from(file: Path, place: int, prefix: str) -> int:
    if not file.exists():
        return 0
    if file.stat().st_size < place:
        place = 0
    with file.open(errors="replace") as stream:
        stream.seek(place)
        for line in stream:
            sys.stdout.write(prefix + line)
        sys.stdout.flush()
        return stream.tell()
