"""What a disk, a mount or a mode keeps from being read is no damage; what is there and wrong is."""

import errno
import os
import resource
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stackctl.backup import restore
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.repository import Repository
from stackctl.backup.wal_name import SEGMENT_SIZE
from stackctl.engine.runner import Completed
from stackctl.errors import Damaged, EngineFailed, NoEngine
from stackctl.operations import backup, wal
from stackctl.operations.backups.expire import expire_command
from stackctl.operations.result import Request
from stopped_stack import Stopped, stopped

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEGMENT = "000000010000000000000001"
# What `cksum` prints of three bytes.
ARCHIVED = f"{SEGMENT}-3233806716-3"


@pytest.fixture
def repository(tmp_path):
    """Two backups of one file each, and one archived segment."""
    made = Repository(tmp_path / "backups")
    made.create()
    for _ in range(2):
        identifier, folder = made.begin(Kind.FULL, NOON)
        (folder / "data").mkdir()
        (folder / "data" / "PG_VERSION").write_text("17\n")
        made.finish(folder, Backup(identifier, Kind.FULL, "native", NOON, NOON, 0, 17, "7", ""))
    archive = made.wal_folder / "7"
    archive.mkdir()
    (archive / ARCHIVED).write_bytes(b"wal")
    (archive / "archived.txt").write_text(f"{ARCHIVED}\n")
    return made


@pytest.fixture
def verify(tmp_path, monkeypatch, repository):
    request = stopped(tmp_path, repository.root, monkeypatch)
    return lambda identifier=None: backup.verify_command(request, None, identifier, print)


@contextmanager
def failing(path, number):
    """One file fails with this error for whoever opens it."""
    opened = os.open

    def instead(name, *words, **more):
        if os.fspath(name) == str(path):
            raise OSError(number, os.strerror(number), str(path))
        return opened(name, *words, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", instead)
        yield


def data(repository, known):
    return repository.path(known.id) / "data" / "PG_VERSION"


def known(repository):
    return [(each.status, each.verified_at is not None) for each in repository.backups()]


def codes(result):
    return [(each.code, each.message) for each in result.errors]


UNKNOWN, GOOD, BAD = (Status.OK, False), (Status.OK, True), (Status.DAMAGED, True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
def test_a_file_that_cannot_be_read_is_told_and_condemns_nothing(repository, verify, number):
    first, second = repository.backups()
    with failing(data(repository, first), number):
        result = verify()
    said = ("unread", f"{first.id}: data/PG_VERSION: cannot be read: {os.strerror(number)}")
    assert (result.exit_code, codes(result)) == (20, [said])
    assert "says nothing of its bytes" in result.errors[0].hint
    assert (result.data["verified"], result.data["findings"]) == ([second.id], [])
    assert known(repository) == [UNKNOWN, GOOD]
    assert (verify().exit_code, known(repository)) == (0, [GOOD, GOOD])


def test_what_is_damaged_beside_it_is_told_and_marked(repository, verify):
    first, second = repository.backups()
    data(repository, second).write_text("18\n")
    with failing(repository.path(first.id) / "checksums.txt", errno.EIO):
        result = verify()
    assert (result.exit_code, [code for code, _ in codes(result)]) == (20, ["unread", "damaged"])
    assert known(repository) == [UNKNOWN, BAD]


def test_what_is_damaged_is_told_where_the_disk_does_not_take_it_down(tmp_path, repository, monkeypatch):
    """It was read for hours; and as nobody wrote it down, it is not done."""
    request, (first, second) = stopped(tmp_path, repository.root, monkeypatch), repository.backups()
    data(repository, second).write_text("18\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Room for a line in the lock, and not for a record.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        result = backup.verify_command(request, None, None, lambda _text: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.exit_code, [code for code, _ in codes(result)]) == (20, ["damaged", "unread", "unread"])
    assert codes(result)[1] == ("unread", f"{first.id}: backup.json: cannot be written: {os.strerror(errno.EFBIG)}")
    assert known(repository) == [UNKNOWN, UNKNOWN]
    again = backup.verify_command(request, None, None, lambda _text: None)
    assert (again.exit_code, known(repository)) == (41, [GOOD, BAD]), "what was written of a record is no damage"


def test_what_a_killed_run_left_of_a_record_is_no_damage(repository, verify):
    first, _ = repository.backups()
    (repository.path(first.id) / ".backup.json.new").write_text('{"id"')
    assert (verify().exit_code, known(repository)) == (0, [GOOD, GOOD])


def test_nor_is_a_record_that_cannot_be_read(repository, verify):
    first, _ = repository.backups()
    with failing(repository.path(first.id) / "backup.json", errno.EIO):
        result = verify()
        with pytest.raises(EngineFailed, match=f"{first.id}: backup.json"):
            verify(first.id)
    assert (result.exit_code, [code for code, _ in codes(result)]) == (20, ["unread"])


def test_nothing_expires_while_a_record_cannot_be_read(tmp_path, repository, verify):
    request = Request(str(tmp_path), environ={})
    with failing(repository.path(repository.backups()[0].id) / "backup.json", errno.EIO):
        with pytest.raises(EngineFailed, match="nothing was deleted"):
            expire_command(request, None, print, apply=True, cluster="7")
        assert expire_command(request, None, print, apply=False, cluster="7").exit_code == 0


@pytest.mark.parametrize("name", [ARCHIVED, "archived.txt"])
def test_nor_is_wal(tmp_path, repository, verify, name):
    with failing(repository.wal_folder / "7" / name, errno.EIO):
        result = verify()
    said = ("unread", f"{name if name == ARCHIVED else repository.wal_folder / '7' / name}: cannot be read: ")
    assert (result.exit_code, codes(result)) == (20, [(said[0], said[1] + os.strerror(errno.EIO))])
    assert known(repository) == [UNKNOWN, UNKNOWN], "the scheduler would take it for done"
    assert (verify().exit_code, known(repository)) == (0, [GOOD, GOOD])


@pytest.fixture
def received(repository):
    """A segment that is not archived yet."""
    folder = repository.tail_folder / "7" / "00000001.000001"
    folder.mkdir(parents=True)
    path = folder / "000000010000000000000002"
    path.write_bytes(bytes(SEGMENT_SIZE))
    return path


class Here:
    """Where programs run; the reader of WAL is killed."""

    def group(self):
        return -1

    def own(self, path):
        """It is."""

    def run(self, program, *_words, **_how):
        return Completed((program,), 137, "", "")


def test_what_was_received_is_not_judged_where_no_engine_reads_it(tmp_path, repository, verify, received, monkeypatch):
    def away(_self):
        raise NoEngine("Docker Engine does not answer", hint="start it")

    monkeypatch.setattr(Stopped, "programs", away, raising=False)
    result = verify()
    said = ("unread", f"{repository.tail_folder}: was not read: Docker Engine does not answer")
    assert (result.exit_code, codes(result), result.errors[0].hint) == (20, [said], "start it")
    assert known(repository) == [UNKNOWN, UNKNOWN], "the scheduler would take it for done"
    assert wal.verify_command(Request(str(tmp_path), environ={}), None, print).exit_code == 20


def test_nor_where_its_reader_was_killed(repository, verify, received, monkeypatch):
    monkeypatch.setattr(Stopped, "programs", lambda _self: nullcontext(Here()), raising=False)
    result = verify()
    assert (result.exit_code, codes(result)[0][0]) == (20, "unread")
    assert "pg_waldump ended with 137" in codes(result)[0][1]


def test_wal_verify_says_so_too(tmp_path, repository, verify):
    with failing(repository.wal_folder / "7" / ARCHIVED, errno.ESTALE):
        result = wal.verify_command(Request(str(tmp_path), environ={}), None, print)
    assert (result.exit_code, result.data["findings"], len(result.data["unread"])) == (20, [], 1)


def test_wal_verify_tells_of_damage_beside_a_list_that_cannot_be_read(tmp_path, repository, verify):
    archive = repository.wal_folder / "7"
    (archive / ARCHIVED).write_bytes(b"law")
    with failing(archive / "archived.txt", errno.EIO):
        result = wal.verify_command(Request(str(tmp_path), environ={}), None, print)
    assert (result.exit_code, [code for code, _ in codes(result)]) == (20, ["unread", "damaged"])


def linked(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("change", [os.unlink, linked, lambda path: path.write_text("18\n")])
def test_what_is_missing_or_other_is_damage_until_it_is_right_again(repository, verify, change):
    first, _ = repository.backups()
    path = data(repository, first)
    change(path)
    assert (verify(first.id).exit_code, known(repository)) == (41, [BAD, UNKNOWN])
    path.unlink(missing_ok=True)
    (path.parent / "elsewhere").unlink(missing_ok=True)
    path.write_text("17\n")
    assert (verify(first.id).exit_code, known(repository)) == (0, [GOOD, UNKNOWN])


def test_a_copy_is_not_made_of_it_and_it_is_not_called_damaged(tmp_path, repository):
    """A drill marks what is called so."""
    first, _ = repository.backups()
    with failing(data(repository, first), errno.EIO), pytest.raises(EngineFailed, match="data/PG_VERSION"):
        restore.build(repository, None, first, tmp_path, print)
    data(repository, first).write_text("18\n")
    with pytest.raises(Damaged, match="data/PG_VERSION"):
        restore.build(repository, None, first, tmp_path, print)


def test_nor_of_what_is_built_on_one_whose_record_cannot_be_read(tmp_path, repository):
    first, second = repository.backups()
    step = replace(second, kind=Kind.INCREMENTAL, parent=first.id)
    with failing(repository.path(first.id) / "backup.json", errno.EIO), pytest.raises(EngineFailed, match=first.id):
        restore.build(repository, None, step, tmp_path, print)
    repository.remove(first.id)
    with pytest.raises(Damaged, match=f"built on {first.id}, which is not there"):
        restore.build(repository, None, step, tmp_path, print)
