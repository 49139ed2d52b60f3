"""An archive of WAL, and what is found wrong with it."""

import os
import resource
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from stackctl.backup.archive import Archive, cksum, damage
from stackctl.backup.archived_list import LIST, expiry
from stackctl.backup.verify import verify_archive
from stackctl.backup.wal_name import Segment, lsn


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 65_537, 3_000_000])
def test_the_checksum_is_that_of_cksum(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    said = subprocess.run(["cksum", str(path)], capture_output=True, check=True, text=True).stdout
    assert cksum(path) == int(said.split()[0])


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    said = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout.decode().split()
    found = path.rename(folder / "-".join([name, *said]))
    with (folder / LIST).open("a") as listed:
        listed.write(f"{found.name}\n")
    return found


@pytest.fixture
def archive(tmp_path):
    put(tmp_path, "000000010000000000000001", b"one" * 1000)
    put(tmp_path, "000000020000000000000002", b"two" * 1000)
    put(tmp_path, "000000010000000000000001.00000028.backup", b"START WAL LOCATION: 0/1000028\n")
    put(tmp_path, "00000002.history", b"1\t0/1800000\tno recovery target specified\n")
    (tmp_path / ".000000010000000000000003.77").write_bytes(b"being written")
    return Archive(tmp_path)


def test_what_is_there(archive):
    assert archive.segments() == {Segment(1, 1), Segment(2, 2)}
    assert archive.histories()[2][0].at == lsn("0/1800000")
    assert [damage(file) for file in archive.files()] == ["", "", "", ""]
    assert (archive.strangers(), archive.unlisted(), archive.lost()) == ([], [], [])


def test_every_flipped_byte_of_a_small_file_is_found(archive):
    (history,) = [file for file in archive.files() if file.name == "00000002.history"]
    good = history.path.read_bytes()
    for position in range(len(good)):
        history.path.write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        assert damage(history) == "its bytes are not those that were archived"


def test_a_cut_off_file_and_a_longer_one(archive):
    for size, file in zip((2999, 3001), [f for f in archive.files() if f.size == 3000], strict=True):
        os.truncate(file.path, size)
        assert damage(file) == f"has {size} bytes, not 3000"


def test_files_that_are_not_of_the_archive(archive):
    (archive.folder / "notes.txt").write_text("")
    (archive.folder / "000000010000000000000009").write_text("")
    assert archive.strangers() == ["000000010000000000000009", "notes.txt"]


class Busy(type(Path())):
    """A folder in which a segment is archived right behind each listing."""

    def iterdir(self):
        there = list(super().iterdir())
        put(Path(self), f"{len(there):024X}", b"new")
        return iter(there)


def test_what_is_archived_behind_a_listing_is_no_stranger(archive):
    (archive.folder / "notes.txt").write_text("")
    assert Archive(Busy(archive.folder)).strangers() == ["notes.txt"]


def test_a_file_that_vanished_is_missed_whatever_it_was(archive):
    for file in archive.files():
        file.path.unlink()
    label = "000000010000000000000001.00000028.backup"
    assert archive.lost() == ["000000010000000000000001", label, "00000002.history", "000000020000000000000002"]
    assert [(each.what, each.reason) for each in verify_archive(archive)] == [
        (label, "is missing"),
        ("00000002.history", "is missing"),
    ]


def test_a_file_that_is_being_archived_is_listed_first_and_not_missed(archive):
    draft = archive.folder / ".000000010000000000000003.77"
    name = "000000010000000000000003-1-4"
    (archive.folder / LIST).open("a").write(f"{name}\n")
    assert archive.lost() == []
    draft.unlink()
    assert archive.lost() == ["000000010000000000000003"]


def test_a_file_that_is_not_listed(archive):
    new = archive.folder / "000000010000000000000003-1-4"
    new.write_bytes(b"new!")
    assert archive.unlisted() == [new.name]


@pytest.mark.parametrize("cut", [0, 1, 30, 100])
def test_a_list_that_was_cut_off(archive, cut):
    path = archive.folder / LIST
    path.write_bytes(path.read_bytes()[:cut])
    assert LIST in {each.what for each in verify_archive(archive)}


def test_what_was_removed_is_not_missed_and_what_lies_before_it_neither(archive):
    put(archive.folder, "000000020000000000000003", b"kept")
    early = [file for file in archive.files() if file.name.startswith(("000000010000000000000001.", "0000000200"))]
    archive.remove(file for file in early if not file.name.endswith("3"))
    (archive.folder / LIST).open("a").write("not a line\n")
    assert [file.name for file in archive.files()] == [
        "000000010000000000000001",
        "00000002.history",
        "000000020000000000000003",
    ]
    assert (archive.lost(), archive.unlisted(), archive.listed().damaged) == ([], [], ("not a line",))


SEGMENTS = [f"0000000100000000000000{number:02X}" for number in range(3, 8)]


@pytest.fixture
def thinned(archive):
    """With two expiries, to segments 5 and 6, and files that were archived before, between and behind them."""
    for begin, end in ((5, 6), (6, 8)):
        for name in SEGMENTS:
            if int(name, 16) & 0xFF < end and not list(archive.folder.glob(f"{name}-*")):
                put(archive.folder, name, name.encode())
        archive.remove(file for file in archive.files() if "." not in file.name and int(file.name, 16) & 0xFF < begin)
    put(archive.folder, "00000002000000000000000A", b"last")
    return archive


def test_a_line_of_an_expiry_is_what_a_shell_can_compare(thinned):
    lines = (thinned.folder / LIST).read_bytes().splitlines(keepends=True)
    (at, line), *_ = [(at, line) for at, line in enumerate(lines) if line.startswith(b"before")]
    before, said = b"".join(lines[:at]), line.rsplit(b" ", 1)[0]
    sums = [subprocess.run(["cksum"], input=each, capture_output=True, check=True).stdout for each in (before, said)]
    (whole, size), (own, _) = (each.split() for each in sums)
    assert line == b"before 000000010000000000000005 expired %b %b %b\n" % (size, whole, own)


@pytest.mark.parametrize("bits", [0x01, 0x02, 0x04])
def test_every_flipped_byte_of_the_list_is_found_whatever_expired(thinned, bits):
    path = thinned.folder / LIST
    good = path.read_bytes()
    assert (good.count(b"expired"), verify_archive(thinned), thinned.lost()) == (2, [], [])
    for position in range(len(good)):
        path.write_bytes(good[:position] + bytes([good[position] ^ bits]) + good[position + 1 :])
        assert verify_archive(thinned) or thinned.lost(), (position, path.read_bytes())


def test_a_list_of_an_earlier_version_is_read_and_then_covered(archive):
    path = archive.folder / LIST
    path.write_bytes(path.read_bytes() + b"before 000000010000000000000002 expired\n")
    next(archive.folder.glob("000000010000000000000001-*")).unlink()
    assert (verify_archive(archive), archive.lost()) == ([], [])
    put(archive.folder, "000000010000000000000003", b"new")
    archive.remove(file for file in archive.files() if file.name.startswith("0000000200"))
    assert (verify_archive(archive), archive.lost()) == ([], [])
    path.write_bytes(path.read_bytes().replace(b"02 expired\n", b"00 expired\n"))
    assert [each.what for each in verify_archive(archive)] == [LIST]


def test_what_is_just_being_listed_is_not_covered(archive):
    """The archive command takes back a line that it could not write to its end."""
    path = archive.folder / LIST
    good = path.read_bytes()
    path.write_bytes(good + b"0000000100000000")
    files = archive.files()
    line = expiry([files[0].name], path.read_bytes())
    path.write_bytes(good + line)
    listed = archive.listed()
    assert (listed.changed, listed.damaged) == (None, ())


def test_a_line_that_never_came_to_its_end_takes_no_expiry_with_it(archive):
    """Of an archive command that a power cut ended: else all that expired would be missed from then on."""
    path = archive.folder / LIST
    path.write_bytes(path.read_bytes() + b"0000000100000000")
    archive.remove(file for file in archive.files() if file.name == "000000010000000000000001")
    assert (archive.lost(), archive.listed().damaged) == ([], ("0000000100000000",))


@contextmanager
def filled(size):
    """No file grows beyond so many bytes, as on a disk that is full then: the kernel takes what fits."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_nothing_goes_where_the_list_cannot_say_so_to_its_end(archive):
    path = archive.folder / LIST
    good, files = path.read_bytes(), archive.files()
    with pytest.raises(OSError, match=f"File too large: '{path}'"), filled(len(good) + 6):
        archive.remove(files[:1])
    assert (path.read_bytes(), archive.files(), verify_archive(archive), archive.lost()) == (good, files, [], [])


def linked(path, elsewhere):
    path.unlink()
    path.symlink_to(elsewhere)


def piped(path, _elsewhere):
    path.unlink()
    os.mkfifo(path)


def huge(path, _elsewhere):
    os.truncate(path, 2**40)


@pytest.fixture
def at_once():
    """Fail where something waits, as for a pipe that nobody writes to."""

    def late(_signal, _frame):
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("becomes", [linked, piped, huge])
def test_what_the_account_puts_in_the_place_of_a_history_is_damage(archive, tmp_path_factory, becomes):
    elsewhere = tmp_path_factory.mktemp("etc") / "passwd"
    elsewhere.write_text("1\t0/1800000\tno recovery target specified\n")
    (history,) = [file for file in archive.files() if file.name == "00000002.history"]
    becomes(history.path, elsewhere)
    with pytest.raises(ValueError, match=history.path.name):
        archive.histories()
    assert [finding.what for finding in verify_archive(archive)] == [history.path.name]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("becomes", [linked, piped, huge])
def test_what_the_account_puts_in_the_place_of_the_list_is_damage(archive, tmp_path_factory, becomes):
    elsewhere = tmp_path_factory.mktemp("etc") / "passwd"
    elsewhere.write_bytes((archive.folder / LIST).read_bytes())
    becomes(archive.folder / LIST, elsewhere)
    assert archive.listed().names == frozenset()
    assert (archive.lost(), [finding.what for finding in verify_archive(archive)]) == ([], [LIST])


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("becomes", [linked, piped])
def test_no_checksum_is_taken_of_what_is_no_file_by_then(tmp_path, becomes):
    """Whatever it was when it was looked at."""
    (tmp_path / "elsewhere").write_text("root")
    (tmp_path / "file").touch()
    becomes(tmp_path / "file", tmp_path / "elsewhere")
    with pytest.raises(OSError, match="no ordinary file"):
        cksum(tmp_path / "file")


@pytest.mark.parametrize("becomes", [linked, piped])
def test_what_the_account_puts_in_the_place_of_the_list_is_not_written_to(archive, tmp_path_factory, becomes):
    elsewhere = tmp_path_factory.mktemp("etc") / "shadow"
    elsewhere.write_bytes(b"root\n")
    files = archive.files()
    becomes(archive.folder / LIST, elsewhere)
    # Where a reader waits, a pipe would be written to.
    reader = os.open(archive.folder / LIST, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match=LIST):
        archive.remove(files[:1])
    assert (elsewhere.read_bytes(), os.read(reader, 99)[:4]) == (b"root\n", b"root" if becomes is linked else b"")
    os.close(reader)
    assert archive.files() == files


def test_nothing_is_removed_through_a_link(archive, tmp_path_factory):
    link = tmp_path_factory.mktemp("wal") / "42"
    link.symlink_to(archive.folder)
    before = archive.files()
    with pytest.raises(NotADirectoryError):
        Archive(link).remove(Archive(link).files())
    assert archive.files() == before


def test_no_archive_yet(tmp_path):
    nothing = Archive(tmp_path / "none")
    assert (nothing.files(), nothing.strangers(), nothing.segments()) == ([], [], frozenset())
