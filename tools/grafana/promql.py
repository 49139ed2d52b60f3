"""Expressions of PromQL, with the matchers that every selector has."""

from __future__ import annotations

from dataclasses import dataclass

DATABASE = 'datname=~"$database"'
# One minute at the stack's scrape interval of 15 s, longer where a point of the picture stands for longer.
WINDOW = "$__rate_interval"
WHOLE = "$__range"
# What a restore can start from.
PHYSICAL = 'kind=~"full|incremental"'
_CHOSEN = ('job=~"$job"', 'instance=~"$instance"')


def series(metric: str, *matchers: str, **labels: str) -> str:
    """The series of `metric` in the chosen jobs and instances, with further matchers and exact `labels`."""
    exact = (f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{', '.join((*_CHOSEN, *matchers, *exact))}}}"


def rate(metric: str, *matchers: str) -> str:
    """What a counter gains in a second; its resets are seen through."""
    return f"rate({series(metric, *matchers)}[{WINDOW}])"


def grown(metric: str, *matchers: str, window: str = WINDOW) -> str:
    """What a counter gained within `window`."""
    return f"increase({series(metric, *matchers)}[{window}])"


def age(moment: str, *matchers: str) -> str:
    """Seconds since the latest of `moment`, which is in Unix seconds."""
    return f"time() - max({series(moment, *matchers)})"


def total(by: str, expression: str) -> str:
    """The sum for each value of the labels `by`; empty for one sum of all."""
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def ratio(part: str, whole: str, least: str = "0") -> str:
    """`part / whole`, and nothing where the whole is not above `least`: an idle server would show NaN or noise."""
    return f"{part} / ({whole} > {least})"


def quantile(share: str, by: str, histogram: str, *matchers: str, window: str = WINDOW) -> str:
    """A quantile of a histogram; nothing, not NaN, where nothing was observed."""
    gained = rate(f"{histogram}_bucket", *matchers)
    if window != WINDOW:
        gained = grown(f"{histogram}_bucket", *matchers, window=window)
    return f"histogram_quantile({share}, {total(', '.join(filter(None, ('le', by))), gained)}) >= 0"


def busiest(count: int, by: str, picture: str, measure: str) -> str:
    """The series of `picture` that were the highest in `measure` at the end: the same ones at each point of time.

    `topk` alone would choose anew at each point, so that a picture of ten lines holds hundreds.
    """
    return f"{picture} and on ({by}) topk({count}, {measure})"


@dataclass(frozen=True)
class Idle:
    """What a number says where there is nothing to count although `watched` has series, so that somebody looks."""

    says: str
    watched: str

    def or_less(self, expression: str) -> str:
        """`expression`, or -1 where it has no value and somebody looks."""
        return f"({expression}) or (0 * count({self.watched}) - 1)"


def database_is(says: str) -> Idle:
    """Said only while the exporter can log in."""
    return Idle(says, f"{series('pg_up')} == 1")


def app_is(says: str) -> Idle:
    """Said only while the app's metrics can be read."""
    return Idle(says, f"{series('up', job='app')} == 1")


def backups_are(says: str) -> Idle:
    """Said only where the control plane's exporter has seen the project."""
    return Idle(says, series("stackctl_look_timestamp_seconds"))


def or_zero(expression: str, known: str) -> str:
    """Zero where `expression` has no series although `known` does: none is a number, not watched is not."""
    return f"({expression}) or (0 * count({known}))"
