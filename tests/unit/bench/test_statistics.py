"""The statistics, on series whose answer is known beforehand."""

from __future__ import annotations

import random

import pytest

from stackctl.bench.statistics import Verdict, geometric_mean, paired, percentile


def series(rounds: int, factor: float, noise: float, seed: int, drift: float = 0.0) -> tuple[list[float], list[float]]:
    """Ours and theirs: the machine's speed, which both meet, times noise of their own."""
    chance = random.Random(seed)
    ours, theirs = [], []
    for number in range(rounds):
        speed = 1000 * (1 - drift * number / rounds)
        ours.append(speed * factor * chance.lognormvariate(0, noise))
        theirs.append(speed * chance.lognormvariate(0, noise))
    return ours, theirs


def test_two_that_are_alike_are_seldom_told_apart() -> None:
    """An interval of 95 % leaves the truth out once in twenty; of 200, more than 25 would be a defect."""
    wrong = sum(paired(*series(12, 1.0, 0.05, seed)).verdict is not Verdict.NOISE for seed in range(200))
    assert wrong <= 25


@pytest.mark.parametrize(("factor", "verdict"), [(1.05, Verdict.FASTER), (1 / 1.05, Verdict.SLOWER)])
def test_a_difference_of_five_percent_is_found_in_little_noise(factor: float, verdict: Verdict) -> None:
    found = [paired(*series(12, factor, 0.015, seed)) for seed in range(50)]
    assert sum(each.verdict is verdict for each in found) >= 48
    assert sum(each.low <= factor <= each.high for each in found) >= 43


def test_a_machine_that_loses_a_third_of_its_speed_says_nothing_of_either() -> None:
    """Unpaired, the series differ by a third from beginning to end; paired, by nothing."""
    found = paired(*series(20, 1.0, 0.005, 7, drift=0.33))
    assert found.verdict is Verdict.NOISE
    assert found.high - found.low < 0.02


def test_the_median_is_that_of_the_rounds() -> None:
    # Ratios 2, 1, 1/2, 4, 1: the third in order is 1.
    found = paired([2, 3, 1, 8, 5], [1, 3, 2, 2, 5])
    assert found.median == pytest.approx(1.0)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(4.0))


def test_the_other_way_around_is_the_inverse() -> None:
    ours, theirs = series(11, 1.3, 0.1, 3)
    there, back = paired(ours, theirs), paired(theirs, ours)
    assert there.median == pytest.approx(1 / back.median)


def test_few_rounds_decide_nothing_however_clear_they_look() -> None:
    assert paired([2, 2, 2, 2, 2], [1, 1, 1, 1, 1]).verdict is Verdict.NOISE
    assert paired([2] * 6, [1] * 6).verdict is Verdict.FASTER


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1], [1, 2]), ([0], [1]), ([1], [-1])])
def test_what_has_no_ratio_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rounds|above zero"):
        paired(ours, theirs)


def test_percentiles_are_members_of_the_series() -> None:
    ordered = [float(each) for each in range(1, 21)]
    assert [percentile(ordered, each) for each in (50, 95, 99, 100)] == [10, 19, 20, 20]
    assert percentile([], 95) == 0


def test_the_geometric_mean_of_a_double_and_a_half_is_one() -> None:
    assert geometric_mean([2, 0.5]) == pytest.approx(1)
    with pytest.raises(ValueError, match="nothing"):
        geometric_mean([])
