"""Where receive-wal goes on, told by what it gives a pg_receivewal that we play."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackctl.backup.archived_list import expiry

SCRIPT = Path(__file__).resolve().parents[3] / "config" / "postgres" / "receive-wal"
SEGMENT_SIZE = 16 * 2**20
PARTIAL = "000000010000000000000007.partial"
PROGRAMS = {
    "psql": 'case $* in *IDENTIFY_SYSTEM*) echo "42|1|0/7000000|app" ;; *) echo reserved ;; esac',
    "sleep": "exec /bin/sleep 0.02",
    # What it finds is noted; then it does as the case says.
    "pg_receivewal": 'place=${1#--directory=}; echo "${place##*/}:" $(ls "$place") >>seen; . ./receives',
}


@dataclass(frozen=True)
class Tail:
    """The folder in which the script runs."""

    folder: Path

    @property
    def stretches(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "tail" / "42").iterdir())

    def stretch(self, name: str = "00000001.000001") -> Path:
        made = self.folder / "tail" / "42" / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def seen(self) -> list[str]:
        """What pg_receivewal found, at each start: the name of its folder and what is in it."""
        noted = self.folder / "seen"
        return noted.read_text().splitlines() if noted.exists() else []

    def run(self, receives: str, until: Callable[[], bool]) -> None:
        (self.folder / "receives").write_text(f"{receives}\n")
        argv = ["sh", str(SCRIPT), "tail", "archive", "password", "run", "3"]
        where = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        with subprocess.Popen(argv, cwd=self.folder, env=where, stderr=subprocess.PIPE, text=True) as script:
            deadline = time.monotonic() + 60
            while not until() and script.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            still = script.poll() is None
            script.terminate()
            said = script.communicate(timeout=60)[1]
        assert still, f"it ended: {said}"
        assert until(), said


@pytest.fixture
def tail(tmp_path: Path) -> Tail:
    for name in ("tail", "archive", "run", "bin"):
        (tmp_path / name).mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "password").write_text("of nobody")
    return Tail(tmp_path)


@pytest.mark.parametrize("stranger", ["00000001.000001.bak", "00000001.old", "00000001.0000012", "00000001.000001 2"])
def test_a_folder_that_is_not_its_own_does_not_stop_it(tail: Tail, stranger: str) -> None:
    (tail.stretch(stranger) / "notes").touch()
    tail.stretch("00000001.000008")
    tail.run("exec /bin/sleep 60", lambda: bool(tail.seen()))
    assert tail.seen() == ["00000001.000008:"]
    assert stranger in tail.stretches


def test_a_segment_without_its_full_length_is_begun_anew(tail: Tail) -> None:
    """As a kill or a power cut leaves it."""
    (tail.stretch() / PARTIAL).write_bytes(bytes(8192))
    tail.run("exec /bin/sleep 60", lambda: bool(tail.seen()))
    assert tail.seen() == ["00000001.000001:"]


def test_one_that_was_being_written_stays(tail: Tail) -> None:
    (tail.stretch() / PARTIAL).write_bytes(b"some".ljust(SEGMENT_SIZE, b"\0"))
    tail.run("exec /bin/sleep 60", lambda: bool(tail.seen()))
    assert tail.seen() == [f"00000001.000001: {PARTIAL}"]


def test_a_full_disk_leaves_one_folder_and_nothing_in_it(tail: Tail) -> None:
    """pg_receivewal leaves what it could not fill up, and would not go on from it."""
    (tail.stretch() / "000000010000000000000006").write_bytes(bytes(SEGMENT_SIZE))
    fills = f'test -e "$place/{PARTIAL}" || head -c 8192 /dev/zero >"$place/{PARTIAL}"; exit 1'
    tail.run(fills, lambda: len(tail.seen()) >= 6)
    assert set(tail.seen()) == {"00000001.000001: 000000010000000000000006"}
    assert tail.stretches == ["00000001.000001"]


def test_files_that_nothing_goes_on_from_are_left_for_another_folder(tail: Tail) -> None:
    (tail.stretch() / PARTIAL).write_bytes(bytes(SEGMENT_SIZE))
    tail.run('test -z "$(ls $place)" && exec /bin/sleep 60; exit 1', lambda: "00000001.000002:" in tail.seen())
    assert tail.stretches == ["00000001.000001", "00000001.000002"]


def test_it_tries_again_however_soon_it_fails(tail: Tail) -> None:
    """What it does beside the receiving may not have begun yet when it is to end."""
    (tail.folder / "bin" / "pg_receivewal").write_text("#!/bin/sh\necho >>seen\n")
    tail.run("", lambda: len(tail.seen()) >= 50)
    assert not list((tail.folder / "run").iterdir())


LISTED = b"000000010000000000000005-1-1\n"
WHOLE = expiry(["000000010000000000000005"], LISTED)
# Lists of an archive; then the segments that leave the tail, of 5 and 6.
LISTS = {
    "expired": (LISTED + WHOLE, "5"),
    "of an earlier version": (LISTED + b"before 000000010000000000000006 expired\n", "5"),
    "a flipped byte": (LISTED + WHOLE.replace(b"06 expired", b"07 expired"), ""),
    "again, and cut off": (LISTED + WHOLE + b"before 000000010000000000000007 expired 65", ""),
}


@pytest.mark.parametrize("case", LISTS)
def test_what_expired_leaves_the_tail_where_the_list_says_so_with_its_checksum(tail: Tail, case: str) -> None:
    content, gone = LISTS[case]
    folder, names = tail.stretch("00000001.000001"), ["000000010000000000000005", "000000010000000000000006"]
    (tail.folder / "archive" / "42").mkdir()
    (tail.folder / "archive" / "42" / "archived.txt").write_bytes(content)
    # It is archived, and the last one that is looked at.
    (tail.folder / "archive" / "42" / "00000001000000000000000F-4294967295-0").touch()
    for name in (*names, "00000001000000000000000F"):
        (folder / name).touch()
    tail.run("exec /bin/sleep 60", lambda: not (folder / "00000001000000000000000F").exists())
    assert [path.name for path in sorted(folder.iterdir())] == [name for name in names if name[-1] != gone]
