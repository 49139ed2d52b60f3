"""What pgbench of versions 15 to 18 prints, word for word as it was printed."""

from __future__ import annotations

import pytest

from stackctl.bench import pgbench
from stackctl.errors import EngineFailed

PRINTED = """pgbench (17.6 (Debian 17.6-0+deb13u1))
transaction type: script.sql
scaling factor: 1
query mode: simple
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 3 s
number of transactions actually processed: 41873
number of failed transactions: 2 (0.005%)
latency average = 0.573 ms
initial connection time = 12.402 ms
tps = 13968.551932 (without initial connection time)
"""
LOGGED = """0 199 2241 0 1175850568 995598
0 200 2465 0 1175850568 998079
1 3 failed 0 1175850569 608
3 0 9870 0 1175850569 7083
"""


def test_rate_transactions_and_failures_are_read() -> None:
    assert pgbench.told(PRINTED, "") == pgbench.Told(13968.551932, 41873, 2)


def test_a_run_that_ended_badly_is_told_in_its_own_words() -> None:
    errors = "pgbench: error: connection to server failed: FATAL:  sorry, too many clients already\n"
    with pytest.raises(EngineFailed, match="too many clients already"):
        pgbench.told("pgbench (17.6)\n", errors)


def test_a_run_without_one_transaction_has_no_rate() -> None:
    """As pgbench prints it where the first transaction of each client goes on when the time is over."""
    done = "number of transactions actually processed: 0\nnumber of failed transactions: 0 (NaN%)\n"
    assert pgbench.told(done, "") == pgbench.Told(0.0, 0, 0)
    with pytest.raises(EngineFailed, match="pgbench: it gave no word"):
        pgbench.told(done.replace("processed: 0", "processed: 7"), "")


def test_latencies_are_milliseconds_in_order_without_what_failed() -> None:
    assert pgbench.latencies(LOGGED.splitlines()) == [2.241, 2.465, 9.87]


def test_what_came_before_the_sessions_settled_is_not_counted() -> None:
    """The rates of three seconds as pgbench 17 tells them, of which the first is slower."""
    told = """pgbench (17.6 (Debian 17.6-0+deb13u1))
progress: 1.0 s, 11000.5 tps, lat 0.725 ms stddev 0.211, 0 failed
progress: 2.0 s, 14000.0 tps, lat 0.571 ms stddev 0.189, 0 failed
progress: 3.0 s, 15000.0 tps, lat 0.532 ms stddev 0.180, 0 failed
"""
    assert pgbench.settled(told, 1) == 14500
    with pytest.raises(EngineFailed, match="no progress after 3 s"):
        pgbench.settled(told, 3)
    # The first ended at 568.995598, the last at 569.007083.
    assert pgbench.latencies(LOGGED.splitlines(), 0.011) == [9.87]
