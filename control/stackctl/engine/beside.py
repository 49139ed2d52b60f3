"""Work that goes on beside other work, for as long as that lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Work = Callable[[threading.Event], None]


@contextmanager
def beside(work: Work) -> Iterator[None]:
    """Run `work` in a thread of its own. At the end of the context its event is set, and it is waited for."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
