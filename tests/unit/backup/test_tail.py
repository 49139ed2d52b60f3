"""The tail of the WAL as the planner reads it."""

from pathlib import Path

import pytest

from stackctl.backup.archive import Archive, cksum
from stackctl.backup.repository import Repository
from stackctl.backup.tail import Tail, reachable
from stackctl.backup.wal_name import Branch, Segment, lsn

SIZE = 16 * 2**20
SYSTEM = "7301234567890123456"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "backups")
    made.create()
    return made


def receive(repository: Repository, name: str, content: bytes = b"", stretch: str = "00000001.000001") -> Path:
    """A file as pg_receivewal makes it: filled up with zeros."""
    path = repository.tail_folder / SYSTEM / stretch / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.ljust(0 if ".history" in name else SIZE, b"\0"))
    return path


def archive(repository: Repository, name: str, content: bytes) -> None:
    folder = repository.wal_folder / SYSTEM
    folder.mkdir(exist_ok=True)
    path = folder / "new"
    path.write_bytes(content)
    path.rename(folder / f"{name}-{cksum(path)}-{len(content)}")


def wal(repository: Repository):
    return reachable(repository.archive(SYSTEM), repository.tail(SYSTEM))


def test_nothing_was_ever_received(repository):
    assert (wal(repository).segments, wal(repository).ends, repository.tail(SYSTEM).end()) == (frozenset(), {}, None)
    assert repository.strangers() == []


def test_where_nothing_can_be_received_the_archive_is_all_there_is(repository):
    archive(repository, "000000010000000000000006", b"archived")
    receive(repository, "000000010000000000000007", b"whole")
    assert reachable(repository.archive(SYSTEM), repository.tails()[SYSTEM]).segments == {Segment(1, 6), Segment(1, 7)}
    assert reachable(repository.archive(SYSTEM), None).segments == {Segment(1, 6)}


def test_it_goes_on_where_the_archive_ends(repository):
    archive(repository, "000000010000000000000006", b"archived")
    receive(repository, "000000010000000000000007", b"whole")
    receive(repository, "000000010000000000000008.partial", b"x" * 300)
    found = wal(repository)
    assert found.segments == {Segment(1, 6), Segment(1, 7)}
    # 300 bytes into the segment that begins at 0/8000000.
    assert found.ends == {Segment(1, 8): lsn("0/800012C")}
    assert repository.tail(SYSTEM).end() == (1, lsn("0/800012C"))


def test_of_what_was_received_twice_the_longer_part_counts(repository):
    receive(repository, "000000010000000000000008.partial", b"x" * 300)
    receive(repository, "000000010000000000000008.partial", b"x" * 200, "00000001.000002")
    assert wal(repository).ends == {Segment(1, 8): lsn("0/800012C")}


def test_what_is_archived_by_now_needs_no_part(repository):
    archive(repository, "000000010000000000000008", b"archived")
    receive(repository, "000000010000000000000008.partial", b"x" * 300)
    assert (wal(repository).segments, wal(repository).ends) == ({Segment(1, 8)}, {})


def test_the_history_of_a_timeline_that_is_not_archived_yet(repository):
    receive(repository, "00000002.history", b"1\t0/5000100\tno recovery target specified\n", "00000002.000001")
    assert wal(repository).histories == {2: (Branch(1, lsn("0/5000100")),)}


def test_a_file_that_is_just_being_made_is_not_counted(repository):
    path = receive(repository, "000000010000000000000008.partial")
    path.write_bytes(b"x" * 300)
    assert wal(repository).ends == {}
    assert repository.strangers() == []


def test_what_nobody_received_is_told(repository):
    receive(repository, "notes.txt")
    (repository.tail_folder / "elsewhere").mkdir()
    (repository.tail_folder / SYSTEM / "stray").touch()
    assert repository.strangers() == [
        f"tail/{SYSTEM}/00000001.000001/notes.txt",
        f"tail/{SYSTEM}/stray",
        "tail/elsewhere",
    ]


def test_what_the_account_put_in_the_place_of_a_received_file_is_none(repository, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x" * SIZE)
    (tmp_path / "history").write_text("1\t0/5000100\tno recovery target specified\n")
    for name in ("000000010000000000000007", "000000010000000000000008.partial", "00000002.history"):
        path = receive(repository, name)
        path.unlink()
        path.symlink_to(tmp_path / "history" if name.endswith("history") else elsewhere)
    found, tail = wal(repository), repository.tail(SYSTEM)
    assert (found.segments, found.ends, found.histories, tail.size()) == (frozenset(), {}, {}, 0)


def test_a_received_file_that_became_a_link_since_has_no_length(repository, tmp_path):
    path = receive(repository, "000000010000000000000008.partial", b"x" * 300)
    (found,) = repository.tail(SYSTEM).longest().values()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert found.end == lsn("0/8000000")


def test_a_folder_that_is_no_archive_has_neither(tmp_path):
    found = reachable(Archive(tmp_path / "none"), Tail(tmp_path / "none"))
    assert (found.segments, dict(found.ends), dict(found.histories)) == (frozenset(), {}, {})
