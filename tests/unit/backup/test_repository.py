"""A folder of backups: names, records, checksums, leftovers, the lock."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stackctl.backup import catalog, checksums
from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Repository, Unreadable
from stackctl.backup.verify import verify_records
from stackctl.backup.wal_name import lsn
from stackctl.errors import Locked

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.create()
    return made


def take(repository, kind=Kind.FULL, started=NOON, content=b"rows"):
    identifier, folder = repository.begin(kind, started)
    (folder / "data" / "base").mkdir(parents=True)
    (folder / "data" / "base" / "1").write_bytes(content)
    (folder / "data" / "PG_VERSION").write_text("17\n")
    backup = Backup(
        id=identifier,
        kind=kind,
        engine="native",
        started_at=started,
        finished_at=started,
        bytes=0,
        postgres=17,
        system="7301234567890123456",
        checksums="",
        timeline=1,
        wal_start=lsn("0/2000028"),
        wal_stop=lsn("0/2000120"),
    )
    return repository.finish(folder, backup)


def test_a_backup_is_read_as_it_was_written(repository):
    taken = take(repository)
    assert taken.id == "000001-20260301T120000Z-full"
    assert repository.backups() == [taken]
    assert (taken.bytes, str(taken.wal_stop)) == (len("rows17\ndata\ndata/base\n"), "0/2000120")


def test_the_list_is_what_sha256sum_reads(repository):
    folder = repository.path(take(repository).id)
    subprocess.run(["sha256sum", "--check", "--strict", checksums.LIST], cwd=folder, check=True, capture_output=True)


def test_names_are_ordered_although_the_clock_went_back(repository):
    first, second = take(repository), take(repository, Kind.INCREMENTAL, NOON.replace(year=2020))
    assert second.id == "000002-20200301T120000Z-incremental"
    assert [found.id for found in repository.backups()] == [first.id, second.id]


def test_what_an_interrupted_run_left_is_no_backup_and_its_number_is_not_used_again(repository):
    identifier, folder = repository.begin(Kind.FULL, NOON)
    assert repository.entries() == []
    assert repository.begin(Kind.FULL, NOON)[0].startswith("000002")
    assert repository.clean() == [identifier, "000002-20260301T120000Z-full"]
    assert not folder.exists()


@pytest.mark.parametrize("position", range(0, 700, 9))
def test_one_changed_byte_of_a_record_is_found(repository, position):
    taken = take(repository)
    record = repository.path(taken.id) / catalog.RECORD
    content = bytearray(record.read_bytes())
    content[position % len(content)] ^= 0x01
    record.write_bytes(content)
    (found,) = repository.entries()
    assert isinstance(found, Unreadable)
    assert found.id == taken.id


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"sha256": 1}', b"\xff"])
def test_what_is_no_record(content):
    with pytest.raises(catalog.DamagedRecord):
        catalog.decode(content)


def test_a_record_of_another_backup(repository):
    first, second = take(repository), take(repository)
    (repository.path(first.id) / catalog.RECORD).write_bytes(catalog.encode(second))
    assert [type(found) for found in repository.entries()] == [Unreadable, Backup]


def test_a_record_is_rewritten_whole(repository):
    taken = take(repository)
    repository.update(replace(taken, kept="before the release"))
    assert repository.backups()[0].kept == "before the release"
    assert [path.name for path in repository.path(taken.id).iterdir() if path.name.startswith(".")] == []


def test_the_lock_is_another_process_and_ends_with_it(repository):
    holder = (
        "import sys; from pathlib import Path; from stackctl.backup.repository import Repository\n"
        "with Repository(Path(sys.argv[1])).locked('stackctl backup'): print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", holder, str(repository.root)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=rf"stackctl backup \(process {process.pid}\)"), repository.locked("x"):
            pass
    finally:
        process.kill()
        process.communicate()
    with repository.locked("stackctl backup"):
        pass


def test_a_removed_backup_is_gone_at_once_and_its_number_is_not_used_again(repository):
    first, second = take(repository), take(repository)
    repository.remove(first.id)
    assert repository.backups() == [second]
    assert [path.name for path in repository.backups_folder.iterdir()] == [second.id]
    assert take(repository).id.startswith("000003")


def test_half_a_removal_is_no_backup_and_is_cleaned(repository):
    """As where the process died between the new name and the last file."""
    taken = take(repository)
    repository.path(taken.id).rename(repository.backups_folder / f".gone-{taken.id}")
    assert repository.entries() == []
    (repository.root / ".restore-x").mkdir()
    assert sorted(repository.clean()) == [".restore-x", taken.id]
    assert list(repository.backups_folder.iterdir()) == []


def test_a_record_from_before_there_were_drills_is_read_and_one_with_a_drill_too(repository):
    taken = take(repository)
    record = repository.path(taken.id) / catalog.RECORD
    later = {"rto_seconds", "rpo_seconds", "drill_failed", "drill_tried_at", "drill_failing"}
    assert not later & set(json.loads(record.read_bytes()))
    assert repository.read(taken.id) == taken
    drilled = replace(taken, drilled_at=NOON, rto_seconds=41.5, rpo_seconds=0.0, drill_failed="")
    repository.update(drilled)
    assert repository.read(taken.id) == drilled
    repository.update(replace(drilled, drill_failed="amcheck: a row is missing"))
    assert repository.read(taken.id).drill_failed == "amcheck: a row is missing"
    tried = replace(drilled, drill_tried_at=NOON.replace(hour=13), drill_failing="starts")
    repository.update(tried)
    assert repository.read(taken.id) == tried


def test_what_a_killed_expiry_left_is_no_damage(repository):
    """With pgBackRest, nothing of plain files is removed that is no dump."""
    taken = take(repository)
    repository.path(taken.id).rename(repository.backups_folder / f".gone-{taken.id}")
    assert repository.strangers() == []
    assert verify_records(repository) == []


def test_a_repository_of_pgbackrest_beside_it_is_no_damage(repository):
    (repository.root / "pgbackrest").mkdir()
    (repository.root / "pgbackrest.old").mkdir()
    assert repository.strangers() == ["pgbackrest.old"]


def test_a_record_that_cannot_be_written_leaves_nothing_beside_the_old_one(repository, monkeypatch):
    """A file that does not belong to a backup is damage."""
    taken = take(repository)
    folder = repository.path(taken.id)
    before = sorted(folder.iterdir())

    def full(_number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{folder}/backup.json'"):
        repository.update(replace(taken, kept="audit"))
    assert (sorted(folder.iterdir()), repository.backups()) == (before, [taken])
