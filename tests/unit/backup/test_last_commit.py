"""Segments on their way to PostgreSQL's own reader, which runs as the database's account."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.last_commit import last_commit
from stackctl.backup.plain_wal import PlainWal
from stackctl.backup.repository import Repository
from stackctl.backup.wal_files import WalUnread
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

    def own(self, path):
        self._given(path)

    def run(self, _program, *words, **_how):
        place, first = Path(words[words.index("--path") + 1]), words[-2]
        self.read.append((place / first).read_bytes())
        return SimpleNamespace(stdout=SAID, returncode=1, stderr="")


@pytest.fixture
def repository(tmp_path):
    made = Repository(tmp_path / "repository")
    made.create()
    made.archive("7").folder.mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return made


def last(repository, programs):
    reach = Window("000001", timeline=1, begin=lsn("0/5000000"), end=lsn("0/5000100"))
    files = PlainWal(repository, programs, "7", 1)
    return last_commit(files, reach, BEGIN, programs, repository.root.parent / "work")


def test_the_last_commit_of_a_segment(repository):
    (repository.archive("7").folder / f"{SEGMENT}-1-3").write_bytes(b"wal")
    programs = Programs()
    assert last(repository, programs) == datetime(2026, 3, 1, 12, 34, 56, 789000, tzinfo=UTC)
    assert (programs.read, list((repository.root.parent / "work").iterdir())) == ([b"wal"], [])


def test_nothing_is_written_once_the_account_may_have_put_a_link_there(repository, tmp_path):
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    (repository.archive("7").folder / f"{SEGMENT}-1-3").write_bytes(b"wal")

    def swapped(path):
        if not path.is_symlink():
            path.rename(path.with_name("moved"))
            path.symlink_to(elsewhere)

    with pytest.raises(OSError, match=SEGMENT):
        last(repository, Programs(swapped))
    assert list(elsewhere.iterdir()) == []


def test_what_a_link_leads_to_is_not_handed_to_the_account(repository, tmp_path):
    (tmp_path / "shadow").write_bytes(b"root")
    (repository.archive("7").folder / f"{SEGMENT}-1-4").symlink_to(tmp_path / "shadow")
    programs = Programs()
    with pytest.raises(Damaged, match="no ordinary file"):
        last(repository, programs)
    assert programs.read == []


class Server:
    """Segments of which some have commits."""

    most = 100

    def __init__(self, *committing):
        self._committing, self.brought = committing, []

    def numbers(self):
        return range(200)

    def bring(self, wanted, _place):
        self.brought.append(sorted(wanted.values()))
        return ()

    def run(self, _program, *_words, **_how):
        found = [number for number in self.brought[-1] if number in self._committing]
        lines = [f"rmgr: Transaction, desc: COMMIT 2026-03-01 12:00:{number:02}.5 UTC" for number in found]
        return SimpleNamespace(stdout="\n".join(lines), returncode=0, stderr="")


REACH = {"begin": lsn("0/5000000"), "end": lsn("0/14000000")}


@pytest.mark.parametrize(
    ("committing", "second", "read"),
    [
        ((18, 19), 19, [[19]]),
        ((16, 17), 17, [[19], [17, 18]]),
        # It has eight at once, and not those before the backup.
        ((4, 5), 5, [[19], [17, 18], [13, 14, 15, 16], [5, 6, 7, 8, 9, 10, 11, 12]]),
    ],
)
def test_it_walks_back_in_growing_steps(tmp_path, committing, second, read):
    server = Server(*committing)
    reach = Window("000001", timeline=1, **REACH)
    found = last_commit(server, reach, BEGIN, server, tmp_path)
    assert (found, server.brought) == (datetime(2026, 3, 1, 12, 0, second, 500000, tzinfo=UTC), read)


def test_it_gives_up_after_sixty_four_and_ends_where_the_backup_does(tmp_path):
    quiet, reach = Server(), Window("000001", timeline=1, **REACH)
    assert last_commit(quiet, reach, BEGIN, quiet, tmp_path) == BEGIN
    long = Window("000001", timeline=1, begin=lsn("0/5000000"), end=lsn("0/64000000"))
    assert last_commit(quiet, long, BEGIN, quiet, tmp_path) is None
    assert min(min(each) for each in quiet.brought) == 5
    assert quiet.brought[-1][0] == 99 - 64


DENIED = 'pg_waldump: error: could not open file "w/wal/000000010000000000000013": Permission denied'
FAILED = "pg_waldump: error: could not read from file 000000010000000000000013, offset 0: Input/output error"
SHORT = "pg_waldump: error: could not read from file 000000010000000000000013, offset 8192: read 0 of 8192"
GONE = 'pg_waldump: error: could not find file "000000010000000000000013": No such file or directory'


@pytest.mark.parametrize(("said", "ends"), [(DENIED, False), (FAILED, False), (SHORT, True), (GONE, True)])
def test_a_file_that_cannot_be_read_is_not_taken_for_the_end(tmp_path, said, ends):
    """A restore to a later time would be refused, although the archive reaches it."""
    server, reach = Server(), Window("000001", timeline=1, **REACH)
    server.run = lambda *_words, **_how: SimpleNamespace(stdout="", stderr=f"{said}\n", returncode=1)
    if ends:
        assert last_commit(server, reach, BEGIN, server, tmp_path) == BEGIN
    else:
        with pytest.raises(WalUnread, match=r"could not (open|read)"):
            last_commit(server, reach, BEGIN, server, tmp_path)
