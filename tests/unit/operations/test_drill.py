"""Which backup a drill takes where a repository holds those of several clusters."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.backup.wal_name import lsn
from stackctl.engine.inside.engine import InsideEngine
from stackctl.engine.runner import Runner
from stackctl.errors import Damaged, DamagedCopy, EngineFailed, RestoreRefused, Unhealthy, UsageError
from stackctl.operations.backups.drill import _judged, _noted, _own, _Trial, newest
from stackctl.operations.state import State
from stanza import Stanza

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.create()
    return made


def take(repository, system):
    identifier, folder = repository.begin(Kind.FULL, NOON)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("17\n")
    start = lsn("0/2000028")
    made = Backup(identifier, Kind.FULL, "native", NOON, NOON, 0, 17, system, "", 1, start, lsn("0/2000120"))
    return repository.finish(folder, made)


def test_it_takes_its_own_though_another_cluster_has_a_newer_one(repository):
    mine, other = take(repository, "7"), take(repository, "8")
    assert newest(repository, None, "7").backup == mine
    assert newest(repository, "8", "7").backup == other, "the one that was named"
    assert newest(repository, "7", None).backup == mine


def test_without_one_of_its_own_it_refuses_and_says_how_to_take_another(repository):
    other = take(repository, "8")
    with pytest.raises(RestoreRefused, match=rf"no good backup of the data of this stack \(7\); {other.id}") as refused:
        newest(repository, None, "7")
    assert (refused.value.exit_code, "--cluster 8" in refused.value.hint) == (42, True)
    with pytest.raises(UsageError, match="no good backup is of cluster 9"):
        newest(repository, "9", "7")


def test_where_nobody_knows_its_own_it_takes_the_only_one_or_asks(repository):
    first = take(repository, "7")
    assert newest(repository, None, None).backup == first
    take(repository, "8")
    with pytest.raises(RestoreRefused, match="backups of 2 clusters") as refused:
        newest(repository, None, None)
    assert "--cluster SYSTEM" in refused.value.hint


class Down(InsideEngine):
    """The engine of the scheduler's container while the database is down."""

    def query(self, sql, database="postgres"):
        raise Unhealthy("PostgreSQL does not answer", hint="")


def test_in_the_schedulers_container_nobody_knows_its_own_while_the_database_is_down():
    opened = SimpleNamespace(
        engine=Down(Runner(), 18), recorded=SimpleNamespace(state=State("x", "inside", "", "", {}))
    )
    assert _own(opened) is None


def test_in_a_store_too_it_takes_those_of_its_own_or_of_the_cluster_that_was_named():
    store = Stanza(("7", "8"))
    mine, other = store.take("F7", NOON), store.take("F8", NOON, system="8")
    store.archive(2, 3)
    store.archive(2, system="8")
    assert newest(store.stored(), None, "7").backup.id == mine
    assert newest(store.stored(), "8", "7").backup.id == other
    with pytest.raises(RestoreRefused, match=r"data of this stack \(9\); F8 is of another cluster"):
        newest(store.stored(), None, "9")
    with pytest.raises(RestoreRefused, match="backups of 2 clusters"):
        newest(store.stored(), None, None)


@pytest.mark.parametrize(
    ("error", "status", "found"),
    [
        (DamagedCopy("incorrect checksum in control file", hint=""), Status.DAMAGED, True),
        (Damaged("000000010000000000000005 in the archive is damaged", hint=""), Status.OK, True),
        (EngineFailed("could not map anonymous shared memory", hint=""), Status.OK, False),
    ],
)
def test_a_copy_that_does_not_start_condemns_its_backup_where_its_files_are_why(repository, error, status, found):
    trial = _Trial()
    with _noted(trial, "starts", ""):
        raise error
    done = _judged(take(repository, "7"), trial, NOON)
    assert (done.status, bool(trial.found), done.drill_failing) == (status, found, "starts")
    assert done.drill_failed == (f"starts: {error}" if status is Status.DAMAGED else "")
