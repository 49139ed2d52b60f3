"""A lane of collectors: they take turns, one that fails or hangs up takes nothing from the others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from stackctl.operations.observing.collectors import SERVER, Collector

# What failed is tried again sooner than it would be due, as a server that is back has much to tell.
_AGAIN_SECONDS = 60.0
# What takes long is asked less often: of the time between, it takes this part at most.
_REST = 20
# The first looks of a whole lane take less: a statement has 5 or 10 s. Of a larger archive it is said for a while.
_FIRST_SECONDS = 120.0
_DOWN = "the server does not answer"


@dataclass
class Result:
    """What one collector found when it was last asked. `wrong` is empty where all is well, `at` in Unix seconds.

    `ended` and `due` are in seconds of the lane's own watch.
    """

    found: Sequence[Metric] = ()
    wrong: str = ""
    took: float = 0.0
    at: float = 0.0
    ended: float = 0.0
    due: float = 0.0
    looked: bool = False


@dataclass
class Lane:
    """Collectors that are asked one after the other, in a thread of their own."""

    collectors: Sequence[Collector]
    say: Callable[[str], None]
    now: Callable[[], float] = time.monotonic
    clock: Callable[[], float] = time.time
    results: dict[str, Result] = field(default_factory=dict)
    beat: float = 0.0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.results.update({each.name: Result() for each in self.collectors})
        self.beat = self.began = self.now()

    def turn(self) -> float:
        """Ask those that are due; gives back the seconds until the next one is."""
        for each in self.collectors:
            if self.results[each.name].due <= self.now():
                self._ask(each)
            self.beat = self.now()
        return max(min(result.due for result in self.results.values()) - self.now(), 0.0)

    def run(self) -> NoReturn:
        """Take turns without end."""
        while True:
            time.sleep(min(self.turn(), 5.0))

    @property
    def silence(self) -> float:
        """Seconds since something was last done."""
        return self.now() - self.beat

    def success(self, name: str) -> bool | None:
        """Whether the last look of this collector went well. A first one that is overdue did not; before that, None."""
        result = self.results[name]
        if result.looked:
            return not result.wrong
        return False if self.now() - self.began > _FIRST_SECONDS else None

    def age(self, name: str) -> float:
        """Seconds since the last look of this collector ended; without end before the first one did."""
        result = self.results[name]
        return self.now() - result.ended if result.looked else math.inf

    def families(self) -> Iterator[Metric]:
        """All that is known."""
        for result in self.results.values():
            yield from result.found

    def _ask(self, each: Collector) -> None:
        before, began = self.results[each.name], self.now()
        server = self.results.get(SERVER)
        if each.asks and each.name != SERVER and server is not None and server.wrong:
            # A server that hangs is waited for once in each turn.
            found, wrong = None, _DOWN
        else:
            found, wrong = _tried(each)
        ended = self.now()
        # Whether the server answers is asked for nothing, and an alert waits for it.
        rest = 0.0 if each.name == SERVER else (ended - began) * _REST
        if wrong not in (before.wrong, _DOWN) and (wrong or before.looked):
            self.say(f"{each.name}: {wrong or 'is seen again'}")
        self.results[each.name] = Result(
            found if found is not None else before.found if each.lasting else (),
            wrong,
            ended - began,
            before.at if wrong else self.clock(),
            ended,
            ended + max(min(each.seconds, _AGAIN_SECONDS) if wrong else each.seconds, rest),
            looked=True,
        )


def _tried(each: Collector) -> tuple[Sequence[Metric] | None, str]:
    try:
        return list(each.collect()), ""
    except Exception as error:
        # One that meets what nobody thought of must not end the others.
        return None, str(error) or type(error).__name__


def states(lanes: Sequence[Lane]) -> Iterator[Metric]:
    """How the looking itself goes."""
    success = GaugeMetricFamily("stackctl_collector_success", "Whether the last look went well", labels=["collector"])
    took = GaugeMetricFamily("stackctl_collector_duration_seconds", "How long the last look took", labels=["collector"])
    at = GaugeMetricFamily("stackctl_collector_timestamp_seconds", "When one last went well", labels=["collector"])
    for lane in lanes:
        for name, result in lane.results.items():
            if (well := lane.success(name)) is not None:
                success.add_metric([name], well)
            if result.looked:
                took.add_metric([name], result.took)
            if result.at:
                at.add_metric([name], result.at)
    yield from (success, took, at)
