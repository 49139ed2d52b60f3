"""What Prometheus is told of backups."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stackctl.backup.metrics import Archiver, Seen, Stored, archiver, families, lateness
from stackctl.backup.model import Backup, Kind, Status

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
# What `date -ud "2026-03-31 12:00" +%s` says.
NOON_SECONDS = 1774958400
LATER = NOON + timedelta(days=10)
FULL = Backup(
    id="000001",
    kind=Kind.FULL,
    engine="native",
    started_at=NOON - timedelta(seconds=90),
    finished_at=NOON,
    bytes=5000,
    postgres=18,
    system="1",
    checksums="",
)
NOTHING = Seen((), None, 7)


class Once:
    def __init__(self, seen):
        self.seen = seen

    def collect(self):
        return families(self.seen, LATER)


def samples(seen):
    """All samples as a scrape would read them: value by name and labels."""
    registry = CollectorRegistry()
    registry.register(Once(seen))
    read = text_string_to_metric_families(generate_latest(registry).decode())
    return {(sample.name, *sorted(sample.labels.items())): sample.value for family in read for sample in family.samples}


def test_the_newest_good_backup_of_each_kind():
    older = replace(FULL, id="000000", finished_at=NOON - timedelta(days=1), bytes=1)
    damaged = replace(FULL, id="000002", finished_at=NOON + timedelta(days=1), status=Status.DAMAGED)
    found = samples(replace(NOTHING, backups=(older, FULL, damaged)))
    full = ("kind", "full")
    assert found["stackctl_backup_timestamp_seconds", full] == NOON_SECONDS
    assert found["stackctl_backup_size_bytes", full] == 5000
    assert found["stackctl_backup_duration_seconds", full] == 90
    assert found["stackctl_backups", full, ("status", "ok")] == 2
    assert found["stackctl_backups", full, ("status", "damaged")] == 1
    assert found["stackctl_backups", ("kind", "logical"), ("status", "ok")] == 0


def test_what_is_built_on_a_damaged_one_is_not_good():
    """Or an alert on old backups would stay silent where nothing can be restored."""
    base = replace(FULL, id="000002", finished_at=LATER - timedelta(days=9), status=Status.DAMAGED)
    step = replace(FULL, id="000003", kind=Kind.INCREMENTAL, parent="000002", finished_at=LATER - timedelta(hours=2))
    dump = replace(FULL, id="000004-dump", kind=Kind.LOGICAL)
    found = samples(replace(NOTHING, backups=(base, step, dump)))
    kinds = [labels for name, *labels in found if name == "stackctl_backup_timestamp_seconds"]
    assert kinds == [[("kind", "logical")]]
    counted = {name: found["stackctl_backups", ("kind", name), ("status", "ok")] for name in ("incremental", "logical")}
    assert counted == {"incremental": 0, "logical": 1}
    assert found["stackctl_backups", ("kind", "incremental"), ("status", "damaged")] == 0, "its own bytes are right"
    healed = samples(replace(NOTHING, backups=(replace(base, status=Status.OK), step)))
    # Two hours before April 10, 12:00.
    assert healed["stackctl_backup_timestamp_seconds", ("kind", "incremental")] == NOON_SECONDS + 10 * 86400 - 7200
    assert healed["stackctl_backups", ("kind", "incremental"), ("status", "ok")] == 1


def test_what_never_was_has_no_sample_but_a_count():
    found = samples(NOTHING)
    assert {name for name, *_ in found} == {"stackctl_backups", "stackctl_repository_free_bytes"}
    assert found["stackctl_repository_free_bytes",] == 7


def test_the_oldest_reading_counts():
    fresh = replace(FULL, verified_at=NOON + timedelta(days=5))
    assert samples(replace(NOTHING, backups=(fresh, FULL)))["stackctl_backup_verified_timestamp_seconds",] == (
        NOON_SECONDS
    )


def test_what_a_wrong_clock_dated_in_the_future_is_not_there():
    year = timedelta(days=365)
    wrong = replace(FULL, id="000002", finished_at=LATER + year, drilled_at=LATER + year)
    old = replace(FULL, verified_at=LATER + year)
    found = samples(replace(NOTHING, backups=(old, wrong)))
    full = ("kind", "full")
    assert found["stackctl_backup_timestamp_seconds", full] == NOON_SECONDS
    assert found["stackctl_backup_verified_timestamp_seconds",] == NOON_SECONDS
    assert ("stackctl_drill_timestamp_seconds",) not in found
    assert found["stackctl_backups", full, ("status", "ok")] == 1
    alone = samples(replace(NOTHING, backups=(wrong,)))
    assert ("stackctl_backup_timestamp_seconds", full) not in alone
    assert alone["stackctl_backups", full, ("status", "ok")] == 0, "or nobody would be told that there is none"
    broken = samples(replace(NOTHING, backups=(replace(wrong, status=Status.DAMAGED),)))
    assert broken["stackctl_backups", full, ("status", "damaged")] == 1


def test_the_last_drill_whichever_backup_it_restored():
    good = replace(FULL, drilled_at=NOON, rto_seconds=30.5, rpo_seconds=60.0)
    failed = replace(FULL, drilled_at=NOON + timedelta(seconds=1), drill_failed="checksums")
    found = samples(replace(NOTHING, backups=(good,)))
    assert (found["stackctl_drill_passed",], found["stackctl_drill_timestamp_seconds",]) == (1, NOON_SECONDS)
    assert (found["stackctl_drill_rto_seconds",], found["stackctl_drill_rpo_seconds",]) == (30.5, 60)
    found = samples(replace(NOTHING, backups=(failed, good)))
    assert (found["stackctl_drill_passed",], found["stackctl_drill_timestamp_seconds",]) == (0, NOON_SECONDS + 1)
    assert ("stackctl_drill_rto_seconds",) not in found


def test_a_drill_that_failed_counts_though_an_older_one_of_another_backup_passed():
    good = replace(FULL, drilled_at=NOON, drill_tried_at=NOON, rto_seconds=30.5, rpo_seconds=60.0)
    later = NOON + timedelta(hours=1)
    failed = replace(FULL, id="000002", drill_tried_at=later, drill_failing="sql:orders_today")
    found = samples(replace(NOTHING, backups=(good, failed)))
    assert (found["stackctl_drill_passed",], found["stackctl_drill_timestamp_seconds",]) == (0, NOON_SECONDS + 3600)
    again = replace(good, drill_tried_at=later, drill_failing="starts")
    found = samples(replace(NOTHING, backups=(again,)))
    assert (found["stackctl_drill_passed",], found["stackctl_drill_timestamp_seconds",]) == (0, NOON_SECONDS + 3600)
    assert ("stackctl_drill_rto_seconds",) not in found, "an older one measured it"
    passed = replace(again, drill_tried_at=later + timedelta(hours=1), drill_failing="")
    assert samples(replace(NOTHING, backups=(passed, failed)))["stackctl_drill_passed",] == 1


def test_the_archive_and_what_waits_for_it():
    found = samples(replace(NOTHING, stored=Stored(12, 4096, 3, 2)))
    assert found["stackctl_archive_files",] == 12
    assert found["stackctl_archive_size_bytes",] == 4096
    assert (found["stackctl_archive_gaps", ("state", "open")], found["stackctl_archive_gaps", ("state", "healed")]) == (
        1,
        2,
    )
    told = {family.name: family.samples[0].value for family in archiver(Archiver(5, failing=True, seconds=None))}
    assert told == {"stackctl_archive_waiting_files": 5, "stackctl_archive_failing": 1}


def test_scheduled_jobs_that_are_late():
    (family,) = lateness({"full": False, "drill": True})
    found = [(each.name, each.labels, each.value) for each in family.samples]
    assert found == [
        ("stackctl_backup_job_late", {"schedule_job": "full"}, 0),
        ("stackctl_backup_job_late", {"schedule_job": "drill"}, 1),
    ]
