"""What health says of the backups of the data that runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.model import Status as BackupStatus
from stackctl.backup.repository import Repository
from stackctl.backup.wal_name import lsn
from stackctl.health.archiving import ArchiveUse
from stackctl.health.model import Status
from stackctl.operations.backup_health import judge_backups
from stackctl.settings.schedule import jobs
from stanza import Stanza

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.create()
    return made


def take(repository, days, system, kind=Kind.FULL):
    at = NOW - timedelta(days=days)
    identifier, folder = repository.begin(kind, at)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("17\n")
    start = lsn("0/2000028")
    made = Backup(identifier, kind, "native", at, at, 0, 17, system, "", 1, start, lsn("0/2000120"))
    return repository.finish(folder, made)


def running(system):
    return ArchiveUse("on", 0, None, None, 0, None, None, 0, system, "0/8000000")


def verdict(repository, use, **schedule):
    return {check.id: check for check in judge_backups(repository, use, NOW, jobs(schedule))}["backup"]


def born(moment):
    """The number of a cluster that initdb made at this moment: Unix seconds, then 32 bits of something else."""
    return str((int(moment.timestamp()) << 32) + 987_654_321)


def test_backups_of_another_cluster_are_none_of_the_data_that_runs(repository):
    old = take(repository, 1, "7")
    found = verdict(repository, running("8"))
    assert (found.status, "(8)" in found.evidence, old.id in found.evidence) == (Status.FAIL, True, True)
    # In this order: a restore would take away data that is right.
    right, lost = found.hint.split("; ")
    assert right == "if this data is right: stackctl backup"
    assert lost == "if it took the place of data that was lost: stackctl restore --cluster 7"


def test_the_age_is_that_of_its_own_newest(repository):
    mine = take(repository, 9, "7")
    take(repository, 1, "8")
    found = verdict(repository, running("7"))
    assert (found.status, found.evidence) == (Status.FAIL, f"{mine.id} is 9 days old")


def test_one_week_is_not_too_old(repository):
    take(repository, 7, "7")
    assert verdict(repository, running("7")).status is Status.OK


def test_a_schedule_with_longer_steps_is_meant(repository):
    """As the alert BackupTooOld has it: not too old while it is not late."""
    mine = take(repository, 9, "7")
    found = verdict(repository, running("7"), full="0 3 15 * *")
    assert (found.status, found.evidence) == (Status.OK, f"{mine.id} is 9 days old, as backup.schedule has it")
    # Due on the 25th, six days ago.
    assert verdict(repository, running("7"), full="0 3 25 * *").status is Status.FAIL
    assert verdict(repository, running("7"), logical="0 3 15 * *").status is Status.FAIL, "a dump is no beginning"


def test_none_where_nobody_asked_for_one_is_a_warning(repository):
    assert verdict(repository, running("7")).status is Status.WARN
    assert verdict(repository, running("7"), logical="15 2 * * *").status is Status.WARN


def test_none_where_one_is_scheduled_fails_after_a_day(repository):
    """Until then the first one may be on its way: a stack that has just been brought up is not unhealthy."""
    young, old = (running(born(NOW - timedelta(hours=hours))) for hours in (23, 25))
    assert verdict(repository, young, full="15 2 * * *").status is Status.WARN
    assert verdict(repository, old, full="15 2 * * *").status is Status.FAIL
    assert verdict(repository, None, incremental="15 2 * * *").status is Status.FAIL, "nobody says that it is young"


def test_none_that_is_good_where_one_was_taken_fails(repository):
    repository.update(replace(take(repository, 1, "7"), status=BackupStatus.DAMAGED))
    found = verdict(repository, running("7"))
    assert (found.status, found.evidence) == (Status.FAIL, "there is no good backup")


def test_a_damaged_one_is_told_as_long_as_it_is_there(repository):
    """Beside a newer one that is good, too: `verify`, which found it, does not look for it again soon."""
    old, other = take(repository, 3, "7"), take(repository, 2, "8")
    take(repository, 1, "7")
    assert "backup_damaged" not in {check.id for check in judge_backups(repository, running("7"), NOW)}
    for each in (old, other):
        repository.update(replace(each, status=BackupStatus.DAMAGED))
    checks = {check.id: check for check in judge_backups(repository, running("7"), NOW)}
    assert (checks["backup"].status, checks["backup_damaged"].status) == (Status.OK, Status.WARN)
    assert checks["backup_damaged"].evidence == f"1 backup marked damaged: {old.id}"


@pytest.mark.parametrize(
    ("kinds", "takes_dumps", "anew"),
    [
        ((Kind.FULL,), True, ", and take a new one: stackctl backup --full"),
        ((Kind.LOGICAL,), True, ", and take a new one: stackctl backup --logical"),
        ((Kind.FULL, Kind.LOGICAL), True, ", and take a new one: stackctl backup --full; stackctl backup --logical"),
        ((Kind.FULL, Kind.LOGICAL), False, ", and take a new one: stackctl backup --full"),
        # Beside encrypted backups it would be refused.
        ((Kind.LOGICAL,), False, ""),
    ],
)
def test_what_is_to_be_taken_for_a_damaged_one_is_of_its_kind(repository, kinds, takes_dumps, anew):
    for kind in kinds:
        repository.update(replace(take(repository, 1, "7", kind), status=BackupStatus.DAMAGED))
    checks = judge_backups(repository, running("7"), NOW, takes_dumps=takes_dumps)
    (found,) = [check for check in checks if check.id == "backup_damaged"]
    assert found.hint == f"stackctl backup verify names what is wrong; keep the others{anew}"


def test_what_is_built_on_a_damaged_one_is_not_good(repository):
    """No restore begins with it, and so no gap in the archive has a backup behind it."""
    base, step = take(repository, 2, "7"), take(repository, 1, "7")
    begin, end = lsn("0/6000028"), lsn("0/6000120")
    repository.update(replace(step, kind=Kind.INCREMENTAL, parent=base.id, wal_start=begin, wal_stop=end))
    (repository.wal_folder / "7").mkdir()
    for number in (2, 3, 5, 6, 7):
        (repository.wal_folder / "7" / f"0000000100000000{number:08X}-1-2").touch()

    def found():
        checks = {check.id: check for check in judge_backups(repository, running("7"), NOW)}
        return checks["backup"].status, checks["wal_gap"].status if "wal_gap" in checks else None

    assert found() == (Status.OK, Status.OK)
    repository.update(replace(base, status=BackupStatus.DAMAGED))
    assert found()[0] is Status.FAIL
    older = take(repository, 1, "7")
    assert (older.wal_start, found()) == (lsn("0/2000028"), (Status.OK, Status.FAIL))


def test_a_newest_one_from_the_future_is_told_and_does_not_hide_how_old_the_others_are(repository):
    old = take(repository, 9, "7")
    wrong = take(repository, -365, "7")
    found = verdict(repository, running("7"))
    assert found.status is Status.WARN
    assert found.evidence == (
        f"{wrong.id} is dated in the future (2027-03-31T12:00:00Z), and nobody knows how old it is; "
        f"{old.id} is 9 days old"
    )
    assert found.hint.endswith("stackctl backup")
    new = take(repository, 1, "7")
    found = verdict(repository, running("7"))
    assert (found.status, found.evidence) == (Status.OK, f"{new.id} is 1 day old")


def test_where_all_are_from_the_future_nobody_knows_how_old_they_are(repository):
    wrong = take(repository, -1, "7")
    found = verdict(repository, running("7"))
    assert (found.status, found.evidence) == (
        Status.WARN,
        f"{wrong.id} is dated in the future (2026-04-01T12:00:00Z), and nobody knows how old it is",
    )


def test_while_nobody_knows_which_cluster_runs_the_newest_counts(repository):
    take(repository, 9, "7")
    newest = take(repository, 1, "8")
    assert verdict(repository, None).evidence == f"{newest.id} is 1 day old"


def test_of_a_store_it_says_the_same():
    store = Stanza(("7", "8"))
    store.take("F7", NOW - timedelta(days=9))
    store.archive(2, 3, 5)
    found = verdict(store.stored(), running("8"))
    assert (found.status, found.hint.split("; ")[0]) == (Status.FAIL, "if this data is right: stackctl backup")
    assert verdict(store.stored(), running("7")).evidence == "F7 is 9 days old"
    gap = {check.id: check for check in judge_backups(store.stored(), running("7"), NOW)}["wal_gap"]
    assert gap.status is Status.FAIL
    assert "000000010000000000000004" in gap.evidence


def test_the_last_drill_of_its_own_data_says_whether_it_passed(repository):
    older, newer, other = take(repository, 9, "7"), take(repository, 1, "7"), take(repository, 1, "8")
    assert "drill" not in {check.id for check in judge_backups(repository, running("7"), NOW)}
    repository.update(replace(older, drilled_at=NOW - timedelta(days=8), drill_tried_at=NOW - timedelta(days=8)))
    repository.update(replace(other, drill_tried_at=NOW, drill_failing="starts"))
    assert drill(repository).status is Status.OK
    failed = replace(newer, status=BackupStatus.DAMAGED, drill_tried_at=NOW, drill_failing="amcheck")
    repository.update(failed)
    assert (drill(repository).status, drill(repository).evidence) == (
        Status.FAIL,
        f"{newer.id} failed its drill of 2026-03-31T12:00:00Z: amcheck",
    )


def drill(repository):
    return {check.id: check for check in judge_backups(repository, running("7"), NOW)}["drill"]
