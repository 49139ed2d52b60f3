"""How many requests may use the database at once, and the queue of the others."""

from __future__ import annotations

import asyncio

# A request that waits for as long stands behind slow statements, not behind other quick requests.
LONGEST_BURST_SECONDS = 5.0


class Admission:
    """As many slots as the pool keeps connections; as many more as it may add, when the queue lasts.

    The pool closes an added connection when it comes back. If every burst had some, most requests of a
    busy hour would wait for a new connection to open, and PostgreSQL would start a process for each.
    """

    def __init__(self, kept: int, added: int, patience: float) -> None:
        self._slots = asyncio.Semaphore(kept)
        self._added = added
        self._burst = min(LONGEST_BURST_SECONDS, patience / 4)
        self._lent = 0
        self._waiting = 0
        self._last_late = 0.0

    async def enter(self, patience: float) -> None:
        """Take a slot; raise TimeoutError when none is free within `patience` seconds."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        late = asyncio.get_running_loop().call_later(self._burst, self._lend)
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                await self._slots.acquire()
        finally:
            self._waiting -= 1
            late.cancel()

    def leave(self) -> None:
        """Give the slot back."""
        quick = asyncio.get_running_loop().time() - self._last_late > self._burst
        if self._lent and (quick or not self._waiting):
            self._lent -= 1
        else:
            self._slots.release()

    def _lend(self) -> None:
        self._last_late = asyncio.get_running_loop().time()
        if self._lent < self._added:
            self._lent += 1
            self._slots.release()
