"""How fast a copy may go beside the database's own work. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

# A copy at full speed takes 600 MB/s; at this share of it, 10 GB take five minutes.
_LEAST = 0.05
# However busy the server is: at 100 MB/s, which most disks have, a copy is to be done in four hours.
_BYTES_IN_TIME = 4 * 3600 * 100_000_000
FULL = 1.0
STILL = 0.0
# A server with fewer transactions a second has nobody who would notice.
_QUIET = 10
# The promise is a tenth. One window says little: a machine's own ups and downs are as large, so that most of three must
# show it. What shows more than this at once needs no second look.
_NOTICED, _GLARING = 1.1, 1.5
_FASTER, _SLOWER = 1.25, 0.5
# Without a copy the load may have changed: after so many windows it is looked at again.
_RUNS = 5


@dataclass(frozen=True)
class Window:
    """What the server did in a stretch of time, both in seconds: `active` is the sum over all its sessions."""

    seconds: float
    active: float
    transactions: int

    @property
    def quiet(self) -> bool:
        """Whether nobody was there to be slowed down."""
        return self.transactions < _QUIET * self.seconds

    @property
    def mean(self) -> float:
        """Seconds of work for one transaction."""
        return self.active / self.transactions


class Pace:
    """Goes by trial: transactions while the copy stands still are compared with those while it goes on.

    The share grows slowly while they take as long, and halves where they take longer, as TCP does with its window.
    """

    def __init__(self, *, quiet: bool, size: int = 0) -> None:
        """`quiet` says whether nobody is at work when the copy begins; `size` is in bytes."""
        self._least = least(size)
        self._share = FULL if quiet else self._least
        self._busy = not quiet
        self._still: deque[float] = deque(maxlen=3)
        self._moving: deque[float] = deque(maxlen=3)
        self._runs = 0
        self._blind = False

    def next(self) -> float:
        """The share of full speed for the next window; none at all where a trial without the copy is due."""
        if self._blind or not self._busy:
            return self._share
        return self._share if self._still and self._runs < _RUNS else STILL

    def heard(self, share: float, window: Window | None) -> None:
        """Learn from a window that went by with `share`; None where the server did not say what it did.

        Then the copy goes on: one that stands still until a busy server answers might do so for good.
        """
        self._blind = window is None
        if window is None:
            return
        if window.quiet:
            self._share, self._busy = FULL, False
            self._still.clear()
        elif not self._busy:
            self._share, self._busy, self._runs = self._least, True, 0
            self._moving.clear()
        elif share == STILL:
            self._still.append(window.mean)
            self._runs = 0
        elif self._still:
            self._judge(window.mean)

    def _judge(self, mean: float) -> None:
        self._runs += 1
        self._moving.append(mean)
        still = median(self._still)
        noticed = mean > _GLARING * still or median(self._moving) > _NOTICED * still
        self._share = max(self._least, self._share * _SLOWER) if noticed else min(FULL, self._share * _FASTER)


def least(size: int) -> float:
    """The share of full speed below which a copy of `size` bytes would not end in time."""
    return min(FULL, max(_LEAST, size / _BYTES_IN_TIME))
