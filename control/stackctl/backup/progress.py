"""Progress of long work, in words: how much, how fast, how long it will take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackctl.backup.checksums import size_below
from stackctl.engine.base import Note
from stackctl.engine.beside import beside
from stackctl.units import Bytes, human

_EVERY_SECONDS = 10.0


class Progress:
    """Told of bytes by any thread, it says a line every ten seconds. `total` is how many there are, 0 where unknown."""

    def __init__(self, note: Note, total: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._note = note
        self.total = total
        self._clock = clock
        self._began = self._said = clock()
        self._done = 0
        self._lock = threading.Lock()

    def told(self, size: int) -> None:
        """`size` more bytes are done."""
        with self._lock:
            self._done += size
            now = self._clock()
            if now - self._said >= _EVERY_SECONDS:
                self._said = now
                self._note(self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        rate = self._done / seconds
        done = f"{human(Bytes(self._done))}, {human(Bytes(int(rate)))}/s"
        # What grew meanwhile may be more than was expected.
        if self._done >= self.total:
            return done
        left = (self.total - self._done) / rate
        return f"{100 * self._done // self.total} % of {human(Bytes(self.total))}: {done}, about {left:.0f} s left"


@contextmanager
def growing(folder: Path, note: Note, total: int = 0, every: float = _EVERY_SECONDS) -> Iterator[None]:
    """Say how `folder` grows to `total` bytes, whichever program writes to it, for as long as the context lasts."""
    progress = Progress(note, total)

    def look(over: threading.Event) -> None:
        seen = 0
        while not over.wait(every):
            # What comes and goes meanwhile is looked for the next time.
            with suppress(OSError):
                size = size_below(folder)
                progress.told(size - seen)
                seen = size

    with beside(look):
        yield
