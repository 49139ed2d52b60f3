"""The verdict on the receiver of WAL."""

from dataclasses import replace

import pytest

from stackctl.health.checks import judge
from stackctl.health.model import Facts, Status
from stackctl.health.receiver import judge_receiver
from stackctl.health.receiving import ReceiverUse
from stackctl.health.running import Running, Setting

OK, WARN, FAIL, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.SKIP
STREAM = ReceiverUse(False, "reserved", "streaming", "0/8000060", 2048, 0, None)
AWAY = replace(STREAM, state=None, position=None, behind=None)
SYNC = replace(STREAM, synchronous=True)
GO_ON = "to go on without it: backup.wal: archive, then stackctl up"


@pytest.mark.parametrize(
    ("use", "status", "evidence", "hint"),
    [
        (STREAM, OK, "2 KiB behind", ""),
        (replace(STREAM, state="catchup", behind=65 * 2**20), WARN, "65 MiB behind", "disk is slower"),
        (AWAY, FAIL, "what is not archived yet would be lost with the data", "stackctl logs receiver"),
        (replace(AWAY, slot="lost"), FAIL, "gave its slot up", "begins anew by itself"),
        (SYNC, OK, "2 KiB behind", ""),
        # A commit that just waits for its own flush.
        (replace(SYNC, waiting=3, longest=0.2), OK, "2 KiB behind", ""),
        (replace(SYNC, waiting=3, longest=11.0), FAIL, "is behind: 3 commits wait for it, the longest for 11 s", GO_ON),
        (replace(AWAY, synchronous=True), FAIL, "is not connected: 0 commits wait for it", GO_ON),
        (
            replace(AWAY, synchronous=True, waiting=2, longest=7.4),
            FAIL,
            "is not connected: 2 commits wait for it, the longest for 7 s",
            GO_ON,
        ),
        (None, SKIP, "not measured", ""),
    ],
)
def test_verdicts(use, status, evidence, hint):
    check = judge_receiver(use)
    assert check.status is status
    assert evidence in check.evidence
    assert hint in check.hint
    assert bool(check.hint) == (status in (WARN, FAIL))


def _judged(services, names):
    running = Running({"synchronous_standby_names": Setting("synchronous_standby_names", names, "file")}, {}, {})
    facts = Facts(services=dict.fromkeys(services, "healthy"), connections=1, max_connections=9, running=running)
    return "receiver" in [check.id for check in judge(facts)]


def test_it_is_asked_for_where_it_should_be():
    assert not _judged(["postgres"], "")
    assert _judged(["postgres", "receiver"], "")
    # Its container was removed, and commits wait for it.
    assert _judged(["postgres"], "stackctl_receiver")
    assert not _judged(["postgres"], "a_standby_of_the_users")
