"""How fast a copy may go beside the database's own work."""

from random import Random

import pytest

from stackctl.backup.pace import Pace, Window, least

# A hundred transactions of 2 ms each in a second; the same a ninth, an eighth and a half slower, and a little more.
CALM = Window(3.0, 0.6, 300)
HARDLY = Window(3.0, 0.65, 300)
SLOWED = Window(3.0, 0.675, 300)
STUCK = Window(3.0, 0.91, 300)
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


def test_where_transactions_take_longer_most_of_the_time_it_halves_but_never_ends():
    # With the second slow one, most of the last three are: 0.05 * 1.25 ** 3 = 0.09765625 halves to less than the least.
    shares = go_on(Pace(quiet=False), CALM, CALM, CALM, SLOWED, SLOWED)
    assert shares == pytest.approx([0.0, 0.05, 0.0625, 0.078125, 0.09765625, 0.05])


def test_one_slow_window_among_others_says_nothing():
    shares = go_on(Pace(quiet=False), CALM, CALM, SLOWED, CALM, HARDLY)
    assert shares[1:] == pytest.approx([0.05 * 1.25**times for times in range(5)])


def test_what_everybody_notices_needs_no_second_look():
    # Five calm windows, a look without the copy, and then 0.05 * 1.25 ** 5 = 0.152587890625 halves.
    shares = go_on(Pace(quiet=False), CALM, *[CALM] * 5, CALM, STUCK)
    assert shares[-2:] == pytest.approx([0.152587890625, 0.0762939453125])


def test_after_five_windows_the_load_alone_is_looked_at_again():
    shares = go_on(Pace(quiet=False), CALM, *[CALM] * 5, CALM)
    assert [share == 0.0 for share in shares] == [True, *[False] * 5, True, False]


def test_a_load_that_is_heavier_by_itself_is_not_taken_for_the_copys_doing():
    # A look at 0 and at 6. Between the median of both, 0.6375 s, and 0.675 s is less than a tenth.
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


def test_a_server_that_says_nothing_holds_no_copy_back():
    shares = go_on(Pace(quiet=False), None, None, CALM, CALM, None, CALM)
    assert shares == [0.0, 0.05, 0.05, 0.0, 0.05, 0.05, 0.0625]


@pytest.mark.parametrize(
    ("size", "share"),
    # 1.44 TB are what 100 MB/s bring in four hours.
    [(0, 0.05), (10 * 10**9, 0.05), (72 * 10**9, 0.05), (144 * 10**9, 0.1), (720 * 10**9, 0.5), (10**13, 1.0)],
)
def test_a_large_copy_ends_in_time_however_busy_the_server_is(size, share):
    assert least(size) == pytest.approx(share)
    assert go_on(Pace(quiet=False, size=size), CALM, STUCK)[1:] == pytest.approx([share, share])


@pytest.mark.parametrize(("spread", "mean_share"), [(0.02, 0.7), (0.1, 0.5), (0.2, 0.25)])
def test_the_ups_and_downs_of_a_machine_do_not_hold_a_copy_back_that_nobody_feels(spread, mean_share):
    random, pace, shares = Random(1), Pace(quiet=False), []
    for _ in range(2000):
        shares.append(pace.next())
        pace.heard(shares[-1], Window(3.0, 0.6 * random.lognormvariate(0.0, spread), 300))
    assert sum(shares) / len(shares) > mean_share
