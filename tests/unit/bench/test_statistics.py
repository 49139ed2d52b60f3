"""The statistics, on series whose answer is known beforehand."""

from __future__ import annotations

import random

import pytest

from stackctl.bench.statistics import Verdict, geometric_mean, paired, percentile


def series(rounds: int, factor: float, noise: float, seed: int, drift: float = 0.0) -> tuple[list[float], list[float]]:
    """Ours and theirs in turns, who begins by chance: the machine's speed at that moment, times noise of their own."""
    chance = random.Random(seed)
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        sides = [(ours, factor), (theirs, 1.0)]
        chance.shuffle(sides)
        for place, (side, times) in enumerate(sides):
            speed = 1000 * (1 - drift * (2 * number + place) / (2 * rounds))
            side.append(speed * times * chance.lognormvariate(0, noise))
    return ours, theirs


@pytest.mark.parametrize("rounds", [7, 12])
def test_two_that_are_alike_are_seldom_told_apart(rounds: int) -> None:
    """An interval of 95 % leaves the truth out once in twenty: of 200, 18 or more are a defect (in 99 of 100 cases)."""
    wrong = sum(paired(*series(rounds, 1.0, 0.05, seed)).verdict is not Verdict.NOISE for seed in range(200))
    assert wrong < 18


def test_the_interval_holds_as_many_rounds_as_the_sign_test_wants() -> None:
    """By hand: all of eight, as 1 - 2 x (1 + 8) / 256 is 93 %; of nine without both ends, 1 - 2 x 10 / 512 is 96 %."""
    eight = paired([1, 2, 3, 4, 5, 6, 7, 8], [1] * 8)
    assert (eight.low, eight.high) == (pytest.approx(1), pytest.approx(8))
    nine = paired([1, 2, 3, 4, 5, 6, 7, 8, 9], [1] * 9)
    assert (nine.low, nine.high) == (pytest.approx(2), pytest.approx(8))
    # Of so many alike in the middle the bootstrap says the same.
    assert paired([1] + [5] * 30 + [9], [1] * 32).low == pytest.approx(5)


@pytest.mark.parametrize(("factor", "verdict"), [(1.05, Verdict.FASTER), (1 / 1.05, Verdict.SLOWER)])
def test_a_difference_of_five_percent_is_found_in_little_noise(factor: float, verdict: Verdict) -> None:
    found = [paired(*series(12, factor, 0.015, seed)) for seed in range(50)]
    assert sum(each.verdict is verdict for each in found) >= 48
    assert sum(each.low <= factor <= each.high for each in found) >= 43


def test_a_machine_that_loses_a_third_of_its_speed_says_nothing_of_either() -> None:
    """Unpaired, the series differ by a third from beginning to end; paired, by nothing."""
    found = paired(*series(20, 1.0, 0.005, 7, drift=0.33))
    assert found.verdict is Verdict.NOISE
    # A slice comes after the other one of its round: by then a twentieth of that third is gone.
    assert found.high - found.low < 0.04


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
