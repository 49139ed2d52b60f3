"""Segments on their way to PostgreSQL's own reader, which runs as the database's account."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.archive import Archive
from stackctl.backup.last_commit import last_commit
from stackctl.backup.tail import Tail
from stackctl.backup.wal_name import lsn
from stackctl.backup.windows import Window
from stackctl.errors import Damaged

SEGMENT = "000000010000000000000005"
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = "rmgr: Transaction len (rec/tot): 34/34, desc: COMMIT 2026-03-01 12:34:56.789 UTC\n"


class Programs:
    """Notes what there is to be read."""

    def __init__(self, given=lambda _path: None):
        self.read, self._given = [], given

    def claim(self, folder):
        folder.mkdir(exist_ok=True)
        self._given(folder)

    def own(self, path):
        self._given(path)

    def run(self, _program, *words, **_how):
        self.read.append(Path(words[-1]).read_bytes())
        return SimpleNamespace(stdout=SAID)


@pytest.fixture
def archive(tmp_path):
    (tmp_path / "wal").mkdir()
    (tmp_path / "work").mkdir()
    return Archive(tmp_path / "wal")


def last(archive, programs):
    reach = Window("000001", timeline=1, begin=lsn("0/5000000"), end=lsn("0/5000100"))
    tail = Tail(archive.folder.parent / "tail")
    return last_commit(archive, tail, reach, BEGIN, programs, archive.folder.parent / "work")


def test_the_last_commit_of_a_segment(archive):
    (archive.folder / f"{SEGMENT}-1-3").write_bytes(b"wal")
    programs = Programs()
    assert last(archive, programs) == datetime(2026, 3, 1, 12, 34, 56, 789000, tzinfo=UTC)
    assert (programs.read, list((archive.folder.parent / "work").iterdir())) == ([b"wal"], [])


def test_nothing_is_written_once_the_account_may_have_put_a_link_there(archive, tmp_path):
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (archive.folder / f"{SEGMENT}-1-3").write_bytes(b"wal")

    def swapped(path):
        if not path.is_symlink():
            path.rename(path.with_name("moved"))
            path.symlink_to(elsewhere)

    with pytest.raises(OSError, match=SEGMENT):
        last(archive, Programs(swapped))
    assert list(elsewhere.iterdir()) == []


def test_what_a_link_leads_to_is_not_handed_to_the_account(archive, tmp_path):
    (tmp_path / "shadow").write_bytes(b"root")
    (archive.folder / f"{SEGMENT}-1-4").symlink_to(tmp_path / "shadow")
    programs = Programs()
    with pytest.raises(Damaged, match="no ordinary file"):
        last(archive, programs)
    assert programs.read == []
