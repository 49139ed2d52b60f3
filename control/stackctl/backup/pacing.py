"""Let a copy go at the pace that the running server bears."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stackctl.backup.pace import FULL, STILL, Pace, Window
from stackctl.engine.base import Note, Share
from stackctl.engine.beside import beside
from stackctl.errors import StackError

# `active_time` is in milliseconds. Replication has no database, so that the copy itself is not counted.
LOAD = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS moment,
       sum(active_time)::float8 / 1000 AS active, sum(xact_commit + xact_rollback)::bigint AS transactions,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                                                AND clock_timestamp() - state_change < interval '1 second') AS at_work
FROM pg_stat_database WHERE datname IS NOT NULL
"""
# The app's probes and the exporter come and go; from so many sessions on somebody is at work.
_SOMEBODY = 3
# Sessions tell what they did once a second.
_SETTLE = 1.2
_WINDOW = 3.0

Ask = Callable[[str], list[dict[str, Any]]]


@dataclass
class _Pacer:
    """The share that is right now, and what finds the next one."""

    ask: Ask
    note: Note
    pace: Pace
    share: float = FULL

    def follow(self, over: threading.Event) -> None:
        """Window after window, until `over`."""
        try:
            self._follow(over)
        finally:
            # Whatever ended this: a copy that nobody lets go on would never end.
            self.share = FULL

    def _follow(self, over: threading.Event) -> None:
        told = FULL
        while not over.is_set():
            self.share = self.pace.next()
            if abs(self.share - told) > told / 2 and self.share != STILL:
                told = self.share
                self.note(f"copying at {told:.0%} of full speed, for the database's sake")
            over.wait(_SETTLE)
            began = self._load()
            over.wait(_WINDOW)
            window = _between(began, self._load())
            if not over.is_set():
                self.pace.heard(self.share, window)

    def _load(self) -> Mapping[str, Any] | None:
        # A server that does not answer stops the copy by itself.
        try:
            return self.ask(LOAD)[0]
        except (StackError, OSError):
            return None


@contextmanager
def pacing(ask: Ask, note: Note, size: int) -> Iterator[Share]:
    """The share of full speed that a copy of `size` bytes may take at each moment, for as long as the context lasts.

    `ask` gives the rows of a query. Raises StackError where the server does not answer at the beginning.
    """
    pacer = _Pacer(ask, note, Pace(quiet=ask(LOAD)[0]["at_work"] < _SOMEBODY, size=size))
    pacer.share = pacer.pace.next()
    with beside(pacer.follow):
        yield lambda: pacer.share


def _between(began: Mapping[str, Any] | None, ended: Mapping[str, Any] | None) -> Window | None:
    """None where the server did not answer, or forgot what it had counted, as after a crash."""
    if began is None or ended is None or ended["transactions"] < began["transactions"]:
        return None
    seconds, active = (float(ended[name] - began[name]) for name in ("moment", "active"))
    return Window(seconds, active, ended["transactions"] - began["transactions"])
