"""Which backup leads to a restore point, where a name may be in the WAL of several."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackctl.backup.model import Backup, Kind
from stackctl.backup.named_point import leading, nobody_knows, points_in
from stackctl.backup.plain_wal import PlainWal
from stackctl.backup.repository import Repository
from stackctl.backup.restore_plan import Candidate
from stackctl.backup.target import Target
from stackctl.backup.wal_files import WalUnread
from stackctl.backup.wal_name import lsn
from stackctl.backup.windows import Window
from stackctl.errors import RestoreRefused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOAL = Target(name="half way")


def candidate(start, stop, end, system="7", timeline=1):
    backup = Backup(start, Kind.FULL, "native", NOON, NOON, 0, 17, system, "", timeline, lsn(start), lsn(stop))
    return Candidate(backup, Window(backup.id, lsn(stop), lsn(end), timeline))


OLDER, NEWER = candidate("0/2000028", "0/2000120", "0/9000000"), candidate("0/5000028", "0/5000120", "0/9000000")


def at(*positions):
    """WAL with points of the name there, which is asked for in stretches."""
    return lambda chosen, _goal, until: {
        point for point in map(lsn, positions) if chosen.backup.wal_start <= point and (until is None or point < until)
    }


@pytest.mark.parametrize(
    ("positions", "wanted"),
    [
        (["0/6000000"], NEWER),
        (["0/5000120"], NEWER),
        (["0/3000000"], OLDER),
        # Recovery from the newer one would stop there before it is consistent.
        (["0/5000100"], OLDER),
        (["0/5000100", "0/6000000"], OLDER),
        (["0/3000000", "0/6000000"], NEWER),
    ],
)
def test_the_newest_from_which_recovery_stops_there(positions, wanted):
    assert leading([OLDER, NEWER], GOAL, at(*positions)) is wanted


def test_a_name_that_none_leads_to_is_refused():
    with pytest.raises(RestoreRefused, match="no archived WAL has it") as refused:
        leading([OLDER, NEWER], GOAL, at())
    assert refused.value.exit_code == 42
    with pytest.raises(RestoreRefused, match="is not behind one"):
        leading([OLDER, NEWER], GOAL, at("0/2000100"))


def test_where_a_gap_is_between_them_nothing_behind_it_is_reached_from_before():
    before = candidate("0/2000028", "0/2000120", "0/4000000")
    with pytest.raises(RestoreRefused):
        leading([before, NEWER], GOAL, at("0/4500000"))


def test_where_nobody_knows_or_nothing_is_archived_none_is_chosen():
    assert leading([OLDER, NEWER], GOAL, nobody_knows) is None
    assert leading([candidate("0/2000028", "0/2000120", "0/2000000")], GOAL, at("0/3000000")) is None
    assert leading([], GOAL, at()) is None


def test_positions_of_another_cluster_are_none_of_it():
    other = candidate("0/1000028", "0/1000120", "0/9000000", system="8")
    with pytest.raises(RestoreRefused, match="no archived WAL has it"):
        leading([other, NEWER], GOAL, at("0/3000000"))


SAID = """\
rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/1D000028, prev 0/1C000090, desc: RESTORE_POINT half way
rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/1D000108, prev 0/1D000090, desc: RESTORE_POINT half
rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/1F000028, prev 0/1EECE418, desc: RESTORE_POINT half way
"""  # noqa: E501


class Reader:
    """Notes what there is to be read, and says what pg_waldump said of a real server's WAL."""

    def own(self, _path):
        pass

    def run(self, _program, *words, **_how):
        place = Path(words[words.index("--path") + 1])
        self.words, self.read = words[-2:], {path.name: path.readlink().name for path in place.iterdir()}
        return SimpleNamespace(stdout=SAID, returncode=1, stderr="")


def test_it_reads_what_recovery_would_read_of_each_timeline(tmp_path):
    repository = Repository(tmp_path / "repository")
    repository.create()
    archive = repository.archive("7").folder
    archive.mkdir(parents=True)
    names = ["000000010000000000000005", "000000010000000000000006", "000000020000000000000006"]
    names += ["000000020000000000000007", "000000020000000000000008", "000000030000000000000007"]
    for name in names:
        (archive / f"{name}-1-3").write_bytes(b"wal")
    (archive / "00000002.history-1-30").write_text("1\t0/6000100\tno recovery target\n")
    chosen, reader = candidate("0/5000028", "0/5000120", "0/8000100", timeline=2), Reader()
    (tmp_path / "work").mkdir()
    files = PlainWal(repository, reader, "7", 2)
    found = points_in(files, reader, tmp_path / "work", chosen, GOAL, lsn("0/7000028"))
    assert found == {lsn("0/1D000028"), lsn("0/1F000028")}
    assert reader.words == ("000000020000000000000005", "000000020000000000000008")
    assert sorted(reader.read.items()) == [
        ("000000020000000000000005", "000000010000000000000005-1-3"),
        ("000000020000000000000006", "000000020000000000000006-1-3"),
        ("000000020000000000000007", "000000020000000000000007-1-3"),
        ("000000020000000000000008", "000000020000000000000008-1-3"),
    ]
    assert list((tmp_path / "work").iterdir()) == []


class Few:
    """Segments of which three are brought at once; the reader finds points at `positions` in what is there."""

    most = 3

    def __init__(self, numbers, *positions):
        self._numbers, self._points, self.brought = numbers, [lsn(each) for each in positions], []

    def numbers(self):
        return self._numbers

    def bring(self, wanted, _place):
        self.brought.append(sorted(wanted.values()))
        return ()

    def run(self, _program, *_words, **_how):
        there = [each for each in self._points if each.value // 2**24 in self.brought[-1]]
        lines = [
            f"rmgr: XLOG len: 98, lsn: 0/{each.value:08X}, prev 0/0, desc: RESTORE_POINT half way" for each in there
        ]
        return SimpleNamespace(stdout="\n".join(lines), returncode=1, stderr="")


@pytest.mark.parametrize(
    ("positions", "found", "read"),
    [
        ([], [], [[2, 3, 4], [4, 5, 6], [6, 7, 8], [8, 9]]),
        (["0/4000028", "0/8000028"], ["0/4000028"], [[2, 3, 4]]),
        # What begins in the sixth may end in the seventh.
        (["0/6FFFFF0"], ["0/6FFFFF0"], [[2, 3, 4], [4, 5, 6]]),
        # Before the backup, it is not where recovery stops.
        (["0/2000010", "0/5000028"], ["0/5000028"], [[2, 3, 4], [4, 5, 6]]),
    ],
)
def test_where_few_are_brought_at_once_it_reads_on_until_one_is_found(tmp_path, positions, found, read):
    files = Few(range(2, 10), *positions)
    chosen = candidate("0/2000028", "0/2000120", "0/9000000")
    assert points_in(files, files, tmp_path, chosen, GOAL, None) == set(map(lsn, found))
    assert files.brought == read


@pytest.mark.parametrize(("there", "read"), [((), []), ((4,), [[4]]), ((2, 3, 4), [[2, 3, 4]])])
def test_few_segments_are_read_once(tmp_path, there, read):
    files = Few(there)
    assert points_in(files, files, tmp_path, candidate("0/2000028", "0/2000120", "0/9000000"), GOAL, None) == set()
    assert files.brought == read


def test_a_reader_that_was_killed_found_nothing_out(tmp_path):
    """To take its silence for an answer would refuse a name that is there."""
    files = Few([2])
    files.run = lambda *_words, **_how: SimpleNamespace(stdout="", stderr="docker: cannot start\n", returncode=125)
    with pytest.raises(WalUnread, match="pg_waldump ended with 125: docker: cannot start"):
        points_in(files, files, tmp_path, candidate("0/2000028", "0/2000120", "0/9000000"), GOAL, None)


def test_nor_did_one_that_could_not_read_a_file(tmp_path):
    files = Few([2])
    said = 'pg_waldump: error: could not open file "w/wal/000000010000000000000002": Permission denied\n'
    files.run = lambda *_words, **_how: SimpleNamespace(stdout="", stderr=said, returncode=1)
    with pytest.raises(WalUnread, match="Permission denied"):
        points_in(files, files, tmp_path, candidate("0/2000028", "0/2000120", "0/9000000"), GOAL, None)
