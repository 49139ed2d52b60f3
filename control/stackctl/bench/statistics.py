"""What paired measurements say: the median ratio of rounds and its interval. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

_RESAMPLES = 4000
_TAIL = 0.025
# Of so few rounds not even their extremes make an interval of 95 %: 1 - 2 x 0.5^5 is 94 %.
LEAST_ROUNDS = 6


class Verdict(StrEnum):
    """What a ratio of rates says of ours."""

    FASTER = "faster"
    SLOWER = "slower"
    NOISE = "within the noise"


@dataclass(frozen=True)
class Ratio:
    """The median of the rounds' ratios, ours to the other's, and the bounds of its 95 % interval."""

    median: float
    low: float
    high: float
    rounds: int

    @property
    def verdict(self) -> Verdict:
        """For rates. A difference counts where the interval leaves 1 out, and there were rounds enough to tell."""
        if self.rounds < LEAST_ROUNDS or self.low <= 1 <= self.high:
            return Verdict.NOISE
        return Verdict.FASTER if self.low > 1 else Verdict.SLOWER


def paired(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Ratio:
    """The ratio of two series of positive numbers, of which those at the same place were measured in one round.

    What both meet, such as a machine that grows slower, is gone from the ratio of a round. The interval is the
    percentile bootstrap of the median (Efron, 1979), of the logarithms, so that it is as wide for 1/2 as for 2.
    Raises ValueError where the series differ in length, are empty, or have a number that is not positive.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError("paired series have the same number of rounds, and at least one")
    if min(*ours, *theirs) <= 0:
        raise ValueError("a ratio needs numbers above zero")
    logs = [math.log(mine / other) for mine, other in zip(ours, theirs, strict=True)]
    chance = random.Random(seed)  # noqa: S311 - the same answer each time, not a secret
    medians = sorted(median(chance.choices(logs, k=len(logs))) for _ in range(_RESAMPLES))
    low, high = medians[int(_TAIL * _RESAMPLES)], medians[-1 - int(_TAIL * _RESAMPLES)]
    return Ratio(math.exp(median(logs)), math.exp(low), math.exp(high), len(logs))


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean of ratios that treats 2 and 1/2 alike. Raises ValueError for none."""
    if not ratios:
        raise ValueError("there is no mean of nothing")
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of an ordered series; 0 for an empty one."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
