"""How fast a copy may go beside the database's own work."""

import pytest

from stackctl.backup.pace import Pace, Window

# A hundred transactions of 2 ms each in a second; what a window must be to be like it, or slower.
CALM = Window(3.0, 0.6, 300)
SLOWED = Window(3.0, 0.66, 300)
NOBODY = Window(3.0, 0.05, 29)


def go_on(pace, *windows):
    """The shares that the pace asks for, one for each window that follows."""
    shares = []
    for window in windows:
        shares.append(pace.next())
        pace.heard(shares[-1], window)
    return [*shares, pace.next()]


def test_beside_nobody_a_copy_goes_at_full_speed():
    assert go_on(Pace(quiet=True), NOBODY, NOBODY) == [1.0, 1.0, 1.0]


def test_beside_somebody_it_begins_with_a_look_at_the_load_without_it_and_then_goes_slowly():
    assert go_on(Pace(quiet=False), CALM) == [0.0, 0.05]


def test_where_nobody_notices_it_grows_by_a_quarter_each_time():
    assert go_on(Pace(quiet=False), CALM, CALM, CALM) == pytest.approx([0.0, 0.05, 0.0625, 0.078125])


def test_where_transactions_take_longer_it_halves_but_never_ends():
    # 0.05 * 1.25 * 1.25 = 0.078125, and half of it is less than the least.
    assert go_on(Pace(quiet=False), CALM, CALM, CALM, SLOWED) == pytest.approx([0.0, 0.05, 0.0625, 0.078125, 0.05])


def test_after_five_windows_the_load_alone_is_looked_at_again():
    shares = go_on(Pace(quiet=False), CALM, *[CALM] * 5, CALM)
    assert [share == 0.0 for share in shares] == [True, *[False] * 5, True, False]


def test_a_load_that_is_heavier_by_itself_is_not_taken_for_the_copys_doing():
    # A look at 0 and at 6. Between the median of both, 0.63 s, and 0.66 s is less than a twentieth.
    shares = go_on(Pace(quiet=False), CALM, *[SLOWED] * 11)
    assert shares[1:6] == [0.05] * 5
    assert shares[7:12] == pytest.approx([0.05 * 1.25**times for times in range(5)])


def test_it_never_asks_for_more_than_all():
    # 0.05 * 1.25 ** 14 = 1.14
    assert max(go_on(Pace(quiet=False), *[CALM] * 40)) == 1.0


def test_when_somebody_comes_it_slows_down_before_it_knows_more():
    assert go_on(Pace(quiet=True), NOBODY, CALM, CALM) == [1.0, 1.0, 0.0, 0.05]


def test_when_everybody_left_it_goes_at_full_speed():
    assert go_on(Pace(quiet=False), CALM, CALM, NOBODY) == [0.0, 0.05, 0.0625, 1.0]
