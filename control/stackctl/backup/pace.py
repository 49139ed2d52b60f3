"""How fast a copy may go beside the database's own work. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

# A copy at full speed takes 600 MB/s; at this share of it, 10 GB take five minutes.
LEAST = 0.05
FULL = 1.0
STILL = 0.0
# A server with fewer transactions a second has nobody who would notice.
_QUIET = 10
# The promise is a tenth at the 95th percentile. What is noticed here is half of that, in the mean.
_NOTICED = 1.05
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

    def __init__(self, *, quiet: bool) -> None:
        """`quiet` says whether nobody is at work when the copy begins."""
        self._share = FULL if quiet else LEAST
        self._busy = not quiet
        self._still: deque[float] = deque(maxlen=3)
        self._runs = 0

    def next(self) -> float:
        """The share of full speed for the next window; none at all where a trial without the copy is due."""
        return STILL if self._busy and (not self._still or self._runs >= _RUNS) else self._share

    def heard(self, share: float, window: Window) -> None:
        """Learn from a window that went by with `share`."""
        if window.quiet:
            self._share, self._busy = FULL, False
            self._still.clear()
        elif not self._busy:
            self._share, self._busy, self._runs = LEAST, True, 0
        elif share == STILL:
            self._still.append(window.mean)
            self._runs = 0
        else:
            self._judge(window.mean)

    def _judge(self, mean: float) -> None:
        self._runs += 1
        noticed = mean > _NOTICED * median(self._still)
        self._share = max(LEAST, self._share * _SLOWER) if noticed else min(FULL, self._share * _FASTER)
