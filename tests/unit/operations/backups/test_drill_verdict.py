"""What a drill says of a backup where a step fails: damage only where something was found in it."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.protocol import AWAY
from stackctl.backup.restore import Restored
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.wal_name import lsn
from stackctl.engine.runner import Completed
from stackctl.errors import Damaged, EngineFailed, TimedOut
from stackctl.operations.backups.drill import _judged, _result, _try

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACKUP = Backup("000001", Kind.FULL, "native", NOON, NOON, 5000, 17, "7", "", 1, lsn("0/2000028"), lsn("0/2000120"))
OPENED = SimpleNamespace(recorded=SimpleNamespace(warnings=()))


class Sound:
    """A server without tables."""

    def query(self, *_):
        return []

    def run(self, *argv, **_):
        return Completed(argv, 0, "", "")


class Bench:
    """A workshop whose steps end with these errors, and whose pg_checksums says this."""

    def __init__(self, build=None, replay=None, checksums=""):
        self.errors, self.checksums, self.programs = {"build": build, "replay": replay}, checksums, self

    def build(self, _backup):
        return self._or_fail("build", Path("/copy/data"))

    def replay(self, _backup, data, _goal, _how):
        return self._or_fail("replay", Restored(data, lsn("0/2000120"), NOON))

    def run(self, *argv, **_):
        return Completed(argv, 0 if self.checksums is None else 1, "", self.checksums or "")

    @contextmanager
    def serve(self, *_):
        yield Sound()

    def _or_fail(self, step, good):
        if self.errors[step]:
            raise self.errors[step]
        return good


def tried(bench):
    trial = _try(bench, Candidate(BACKUP, None), {}, NOON, lambda _line: None)
    judged = _judged(BACKUP, trial, NOON)
    return judged, _result(judged, trial, 1.0, OPENED)


FULL_DISK = EngineFailed("/copy/data: the disk is full, nothing was changed", hint="")
NOT_ENDED = EngineFailed("the restored server did not end cleanly: server does not shut down", hint="")


@pytest.mark.parametrize(
    ("bench", "step"),
    [
        (Bench(build=FULL_DISK), "bytes"),
        (Bench(build=EngineFailed("pg_combinebackup: error: out of memory", hint="")), "bytes"),
        (Bench(replay=NOT_ENDED), "starts"),
        (Bench(replay=TimedOut("the restored server takes no connections yet", hint="")), "starts"),
        (Bench(checksums="pg_checksums: error: cluster must be shut down"), "checksums"),
    ],
)
def test_what_kept_it_from_looking_is_told_and_is_no_damage(bench, step):
    judged, result = tried(bench)
    assert (judged.status, judged.drill_failed) == (Status.OK, "")
    assert (result.exit_code, result.data["passed"]) == (20, False)
    assert [(each["name"], each["hindered"]) for each in result.data["checks"] if not each["ok"]] == [(step, True)]
    assert "says nothing of the backup" in result.errors[0].hint
    assert (judged.drill_tried_at, judged.drill_failing, judged.drilled_at) == (NOON, step, None)


@pytest.mark.parametrize(
    ("bench", "step", "kept"),
    [
        (Bench(build=Damaged("data/base/5/1: its bytes are others", hint="")), "bytes", ""),
        (Bench(checksums='checksum verification failed in file "x", block 0'), "checksums", "checksums: the pages"),
    ],
)
def test_what_was_found_in_the_backup_is_damage(bench, step, kept):
    judged, result = tried(bench)
    assert judged.status is Status.DAMAGED
    assert judged.drill_failed.startswith(kept)
    assert bool(judged.drill_failed) is bool(kept), "the bytes alone are good again where they are as they were"
    assert (result.exit_code, [each["name"] for each in result.data["checks"] if not each["ok"]]) == (41, [step])


def test_damaged_wal_fails_the_drill_and_leaves_the_backup_as_it_is():
    judged, result = tried(Bench(replay=Damaged("000000010000000000000005 in the archive is damaged", hint="")))
    assert (judged.status, result.exit_code) == (Status.OK, 41)


def test_one_that_passed_takes_back_what_failed_before():
    failed, _ = tried(Bench(replay=NOT_ENDED))
    trial = _try(Bench(checksums=None), Candidate(failed, None), {}, NOON, lambda _line: None)
    later = NOON + timedelta(hours=1)
    passed = _judged(failed, trial, later)
    assert (passed.drilled_at, passed.drill_tried_at, passed.drill_failing) == (later, later, "")


def test_a_store_that_cannot_be_read_is_no_drill():
    away = EngineFailed("s3://shop: the store cannot be reached", hint="", code=AWAY)
    with pytest.raises(EngineFailed, match="cannot be reached"):
        tried(Bench(build=away))
