"""The archive command, run as the server runs it: in the data directory, on one file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "config" / "postgres" / "archive-wal"
SYSTEM = 7301234567890123456
FIRST, SECOND = "000000010000000000000001", "000000010000000000000002"
SIZE = 16 * 2**20
LIST = "archived.txt"


def segment(fill: int, system: int = SYSTEM) -> bytes:
    """A segment whose header names its cluster, as PostgreSQL's long page header does."""
    header = bytes(24) + system.to_bytes(8, "little")
    return header + bytes([fill]) * (SIZE - len(header))


@dataclass
class Server:
    """A data directory with WAL that waits, and the folder it is archived to."""

    data: Path
    archive: Path

    def wait(self, name: str, content: bytes) -> None:
        (self.data / "pg_wal" / name).write_bytes(content)
        (self.data / "pg_wal" / "archive_status" / f"{name}.ready").touch()

    def argv(self, name: str, *more: str) -> list[str]:
        return ["sh", str(SCRIPT), str(self.archive), f"pg_wal/{name}", name, *more]

    def run(self, name: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(name, *more), cwd=self.data, capture_output=True, text=True, check=False)

    def archived(self) -> dict[str, bytes]:
        """What is in the archive of this cluster, hidden names too, without the checksums."""
        return {path.name.split("-")[0]: path.read_bytes() for path in self.files()}

    def files(self) -> list[Path]:
        folder = self.archive / str(SYSTEM)
        return [path for path in folder.iterdir() if path.name != LIST] if folder.is_dir() else []

    @property
    def listed(self) -> list[str]:
        return (self.archive / str(SYSTEM) / LIST).read_text().splitlines()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    data = tmp_path / "da ta"
    (data / "pg_wal" / "archive_status").mkdir(parents=True)
    (data / "global").mkdir()
    (data / "global" / "pg_control").write_bytes(SYSTEM.to_bytes(8, "little") + bytes(8184))
    made = Server(data, tmp_path / "arch ive")
    made.archive.mkdir()
    made.wait(FIRST, segment(1))
    return made


def test_the_name_says_what_cksum_says(server: Server) -> None:
    assert server.run(FIRST).returncode == 0
    assert server.archived() == {FIRST: segment(1)}
    (path,) = server.files()
    said = subprocess.run(["cksum"], input=segment(1), capture_output=True, check=True).stdout.decode().split()
    assert path.name == "-".join([FIRST, *said])
    assert server.listed == [path.name]


def test_the_same_file_again_is_a_success_and_changes_nothing(server: Server) -> None:
    server.run(FIRST)
    (path,) = server.files()
    before = path.stat()
    assert server.run(FIRST).returncode == 0
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)
    assert len(server.archived()) == 1
    assert server.listed == [path.name]


def test_a_file_whose_line_was_not_written_before_the_crash_is_listed_when_it_comes_again(server: Server) -> None:
    server.run(FIRST)
    (path,) = server.files()
    (path.parent / LIST).write_text("")
    path.with_name(f".{FIRST}.77").hardlink_to(path)
    assert server.run(FIRST).returncode == 0
    assert (server.listed, server.files()) == ([path.name], [path])


def test_other_bytes_under_the_same_name_fail_and_overwrite_nothing(server: Server) -> None:
    server.run(FIRST)
    server.wait(FIRST, segment(2))
    done = server.run(FIRST, "1")
    assert (done.returncode, server.archived()) == (1, {FIRST: segment(1)})
    assert "is there with other bytes" in done.stderr


def test_other_bytes_under_the_same_name_do_not_fill_the_database_s_disk(server: Server) -> None:
    """They stay as they are, and no more than the bound wait behind them."""
    server.run(FIRST)
    server.wait(FIRST, segment(2))
    server.wait(SECOND, segment(2))
    assert server.run(FIRST, "2").returncode == 1
    done = server.run(FIRST, "1")
    assert (done.returncode, "GIVEN UP: more than 1 files wait" in done.stderr) == (0, True), done.stderr
    assert server.archived() == {FIRST: segment(1)}


def test_an_archived_file_that_was_cut_off_is_not_taken_for_archived(server: Server) -> None:
    server.run(FIRST)
    (path,) = server.files()
    os.truncate(path, 1000)
    assert server.run(FIRST).returncode == 1


def test_another_cluster_has_its_own_folder(server: Server) -> None:
    server.run(FIRST)
    server.wait(FIRST, segment(1, system=42))
    assert server.run(FIRST).returncode == 0
    assert sorted(path.name for path in server.archive.iterdir()) == ["42", str(SYSTEM)]


def test_a_history_file_goes_to_the_cluster_of_the_data_directory(server: Server) -> None:
    server.wait("00000002.history", b"1\t0/3000158\tno recovery target specified\n")
    assert server.run("00000002.history").returncode == 0
    assert list(server.archived()) == ["00000002.history"]


def test_a_run_that_is_killed_anywhere_leaves_no_part_and_the_next_one_cleans(server: Server) -> None:
    """With all that it started, at 40 moments of its life; the server tries again."""
    for moment in range(40):
        name = f"{moment + 16:024X}"
        server.wait(name, segment(3))
        process = subprocess.Popen(server.argv(name), cwd=server.data, start_new_session=True)
        time.sleep(0.002 * moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert server.archived().get(name) in (None, segment(3))
        assert server.run(name).returncode == 0
        assert server.archived() == {name: segment(3)}
        (path,) = server.files()
        assert server.listed[-1] == path.name
        path.unlink()
    assert len(set(server.listed)) == 40


def test_a_missing_segment_is_a_failure_that_the_server_counts(server: Server) -> None:
    done = server.run(SECOND)
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    assert server.archived() == {}


@pytest.fixture
def broken(server: Server) -> Server:
    """A destination that nobody can write to, root neither."""
    server.archive.rmdir()
    server.archive.write_text("a file")
    return server


def test_a_destination_that_cannot_be_written_is_tried_again(broken: Server) -> None:
    done = broken.run(FIRST, "3")
    assert done.returncode == 1
    assert "cannot be made" in done.stderr


def test_more_than_the_bound_waiting_gives_a_file_up_and_says_so(broken: Server) -> None:
    broken.wait(SECOND, segment(2))
    assert broken.run(FIRST, "2").returncode == 1
    assert broken.run(FIRST).returncode == 1, "without a bound all wait"
    done = broken.run(FIRST, "1")
    assert done.returncode == 0
    assert "GIVEN UP: more than 1 files wait" in done.stderr


def test_the_bound_does_nothing_while_the_destination_works(server: Server) -> None:
    server.wait(SECOND, segment(2))
    assert server.run(FIRST, "1").returncode == 0
    assert server.archived() == {FIRST: segment(1)}


@pytest.fixture
def small_disk(server: Server) -> Iterator[Server]:
    """A destination on a disk with room for one segment and a half."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "small", str(server.archive)], check=True)
    yield server
    subprocess.run(["umount", str(server.archive)], check=True)


def test_a_full_disk_leaves_no_part_and_heals(small_disk: Server) -> None:
    small_disk.wait(SECOND, segment(2))
    assert small_disk.run(FIRST).returncode == 0
    assert small_disk.run(SECOND).returncode == 1
    assert small_disk.archived() == {FIRST: segment(1)}
    (moved,) = small_disk.files()
    shutil.move(moved, small_disk.data)
    assert small_disk.run(SECOND).returncode == 0
    assert small_disk.archived() == {SECOND: segment(2)}


def test_a_nearly_full_disk_of_the_database_is_not_filled_by_its_archive(server: Server) -> None:
    """The archive is on it; nobody's disk has a reserve of 2 PB."""
    done = server.run(FIRST, "9", str(2 * 10**12))
    assert done.returncode == 0
    assert "GIVEN UP" in done.stderr
    assert server.archived() == {}
    assert server.run(FIRST, "9", "1").returncode == 0
    assert server.archived() == {FIRST: segment(1)}


def test_an_archive_on_another_disk_takes_what_a_full_disk_of_the_database_has(small_disk: Server) -> None:
    assert small_disk.run(FIRST, "9", str(2 * 10**12)).returncode == 0
    assert small_disk.archived() == {FIRST: segment(1)}


def test_a_segment_that_was_cut_short_takes_no_room_for_its_zeros(server: Server) -> None:
    content = segment(1)[: 2**20] + bytes(SIZE - 2**20)
    server.wait(SECOND, content)
    assert server.run(SECOND).returncode == 0
    (path,) = server.files()
    assert path.read_bytes() == content
    assert path.stat().st_blocks * 512 < 2 * 2**20


def test_wal_of_a_copy_that_is_not_accepted_waits_and_never_more_than_the_bound(server: Server) -> None:
    held = Server(server.data, Path("-"))
    done = held.run(FIRST, "1")
    assert (done.returncode, "held back until the restored copy is accepted" in done.stderr) == (1, True), done.stderr
    assert not (server.data / "-").exists()
    server.wait(SECOND, segment(2))
    done = held.run(FIRST, "1")
    assert (done.returncode, "GIVEN UP: more than 1 files wait" in done.stderr) == (0, True), done.stderr
    assert server.archived() == {}


def test_a_history_that_was_given_up_goes_along_with_the_next_segment(server: Server) -> None:
    """The server offers it first and once; without it, no recovery goes along the new timeline."""
    history, later = "00000002.history", "000000020000000000000002"
    content = b"1\t0/1800000\tno recovery target specified\n"
    server.wait(history, content)
    assert Server(server.data, Path("-")).run(history, "1").returncode == 0
    (server.data / "pg_wal" / "archive_status" / f"{history}.ready").rename(
        server.data / "pg_wal" / "archive_status" / f"{history}.done"
    )
    server.wait(later, segment(2))
    assert server.run(later, "9").returncode == 0
    assert server.archived() == {history: content, later: segment(2)}
    assert [name.split("-")[0] for name in server.listed] == [history, later]
    assert server.run(later, "9").returncode == 0
    assert len(server.listed) == 2


def test_a_segment_whose_history_cannot_be_archived_waits_within_the_bound(server: Server) -> None:
    (server.data / "pg_wal" / "00000002.history").mkdir()
    done = server.run(FIRST, "1")
    assert (done.returncode, "00000002.history must be archived before it" in done.stderr) == (1, True), done.stderr
    server.wait(SECOND, segment(2))
    assert server.run(FIRST, "1").returncode == 0
    assert server.archived() == {}
