"""Signals that end a run in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_by(*signals: signal.Signals) -> Iterator[None]:
    """Let the signals end a run as Ctrl-C does, with the same cleaning up; an ignored one, as by nohup, stays so."""
    # Python lets only its main thread handle signals.
    main = threading.current_thread() is threading.main_thread()
    handled = [each for each in signals if main and signal.getsignal(each) is signal.SIG_DFL]
    for each in handled:
        signal.signal(each, _interrupt)
    try:
        yield
    finally:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
