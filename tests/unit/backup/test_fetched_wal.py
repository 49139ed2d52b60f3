"""What is fetched of pgBackRest's archive while a restore is planned, and what becomes of a plan where it cannot be."""

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.named_point import leading
from stackctl.backup.pgbackrest.engine import PgBackRestEngine
from stackctl.backup.target import Target
from stackctl.errors import EngineFailed, RestoreRefused
from stackctl.operations.candidates import present_candidates
from stanza import HEX, Stanza

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOAL = Target(name="half way")


class Programs:
    """Containers: those that reach the repository fetch, the others read what is there."""

    def __init__(self, says, reaching=False, seen=None):
        self._says, self._reaching, self.seen = says, reaching, seen if seen is not None else []

    def with_repository(self):
        return Programs(self._says, reaching=True, seen=self.seen)

    def group(self):
        return -1

    def own(self, path):
        assert list(path.iterdir()) == [], "nothing is written there before the account is its owner"

    def run(self, program, *words, folders, **_how):
        assert (program == "sh") is self._reaching, "what reads WAL reaches no keys"
        if program == "sh":
            (place,), pairs = folders, words[4:]
            fetched = dict(zip(pairs[::2], pairs[1::2], strict=True))
            self.seen.append(fetched)
            for name in fetched:
                (place / name).touch()
            return self._says.get("sh") or SimpleNamespace(returncode=0)
        names = sorted(path.name for path in Path(words[3]).iterdir())
        assert words[4:] == (names[0], names[-1])
        return SimpleNamespace(stdout="".join(self._says.get(name, "") for name in names), returncode=1, stderr="")


def planned(says, folder, stanza):
    """The engine on what is in `stanza`, its candidates, and what its containers do."""
    programs = Programs(says)

    @contextmanager
    def given():
        yield programs

    stanza.engine = SimpleNamespace(programs=given)
    engine = PgBackRestEngine(stanza, folder, lambda: NOON, lambda *_how: nullcontext())
    stored = stanza.stored()
    return engine, stored, present_candidates(stored, stored.backups()), programs.seen


def two(*segments):
    stanza = Stanza()
    stanza.take("F1", NOON, segment=2)
    stanza.take("F2", NOON, segment=5)
    stanza.archive(*segments)
    return stanza


def name(number, timeline=1):
    return f"{timeline:08X}{0:08X}{number:08X}"


def point(position):
    return f"rmgr: XLOG, lsn: {position}, prev 0/0, desc: RESTORE_POINT half way\n"


def commit(moment):
    return f"rmgr: Transaction, desc: COMMIT {moment} UTC\n"


def paths(*numbers, timeline=1):
    return [f"archive/shop/17-1/{name(n, timeline)[:16]}/{name(n, timeline)}-{HEX}.zst" for n in numbers]


def test_a_name_before_the_newest_backup_is_found_in_the_wal_of_an_older_one(tmp_path):
    says = {name(3): point("0/3000100")}
    engine, stored, candidates, seen = planned(says, tmp_path, two(*range(2, 9)))
    notes = []
    chosen = leading(candidates, GOAL, engine.points(stored, notes.append))
    assert chosen.backup.id == "F1"
    assert [list(each.values()) for each in seen] == [paths(5, 6, 7, 8), paths(2, 3, 4, 5, 6)]
    assert notes[0] == f"reading WAL of s3://shop: {name(5)} to {name(8)}"
    assert list(tmp_path.iterdir()) == []
    assert leading(candidates, GOAL, engine.points(stored, print)) is chosen
    assert len(seen) == 2, "planned again, as when somebody agreed, it is not fetched again"


def test_segments_come_from_the_timelines_that_recovery_follows(tmp_path):
    """One name of both is read from the newer; the reader sees one timeline."""
    stanza = two(*range(2, 8))
    stanza.history(2, "1\t0/6000100\tno recovery target specified\n")
    stanza.archive(6, 7, timeline=2)
    engine, stored, candidates, seen = planned({}, tmp_path, stanza)
    engine.points(stored, print)(candidates[-1], GOAL, None)
    (fetched,) = seen
    assert fetched == dict(zip([name(n, 2) for n in (5, 6, 7)], [*paths(5), *paths(6, 7, timeline=2)], strict=True))


def test_no_more_is_fetched_for_a_name_than_anybody_waits_for(tmp_path):
    """The first fetch has 16, each further one 15 new ones; then the newest backup is tried, as it may lead there."""
    engine, stored, candidates, seen = planned({}, tmp_path, two(*range(2, 1100)))
    notes = []
    assert leading(candidates, GOAL, engine.points(stored, notes.append)) is None
    assert sum(map(len, seen)) == 1024
    assert max(map(len, seen)) == 16
    assert "no more than 1024 segments are fetched for it; the newest backup is tried" in notes[-1]


def test_a_time_behind_the_last_archived_commit_is_refused(tmp_path):
    says = {name(7): commit("2026-03-01 13:00:00.5")}
    engine, stored, candidates, seen = planned(says, tmp_path, two(*range(2, 9)))
    last = datetime(2026, 3, 1, 13, 0, 0, 500000, tzinfo=UTC)
    assert engine.last_commit(stored, candidates[-1], Target(), print) == last
    assert [list(each.values()) for each in seen] == [paths(8), paths(6, 7)]
    with pytest.raises(RestoreRefused, match=r"is not before the last archived commit, which is of .* 13:00:00\.5"):
        engine.last_commit(stored, candidates[-1], Target(time=last), print)


@pytest.mark.parametrize(
    "said",
    [
        f"{HEX}.zst: its bytes are not those that were archived",
        "ERROR: [055]: unable to open missing file '/x' for read",
        "ERROR: [041]: unable to open file '/var/lib/stackctl/repository/x' for read: [13] Permission denied",
        "sh: 1: /usr/lib/apt/apt-helper: not found",
    ],
)
def test_a_segment_that_cannot_be_had_refuses_no_plan(tmp_path, said):
    broken = {"sh": SimpleNamespace(returncode=126, stderr=said)}
    engine, stored, candidates, _ = planned(broken, tmp_path, two(*range(2, 9)))
    notes = []
    assert engine.last_commit(stored, candidates[-1], Target(time=NOON), notes.append) is None
    assert leading(candidates, GOAL, engine.points(stored, notes.append)) is None
    assert [text.split(":")[0] for text in notes if text.startswith("nobody")] == [
        "nobody knows when the last archived commit was",
        "nobody knows where name",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_goes_away_says_so(tmp_path):
    away = {"sh": SimpleNamespace(returncode=49, stderr="ERROR: [049]: unable to connect to 'x:443': refused")}
    engine, stored, candidates, _ = planned(away, tmp_path, two(*range(2, 9)))
    with pytest.raises(EngineFailed, match=r"backup\.endpoint: s3://shop: the store cannot be reached"):
        engine.last_commit(stored, candidates[-1], Target(), print)
    with pytest.raises(EngineFailed, match="cannot be reached"):
        leading(candidates, GOAL, engine.points(stored, print))
