"""One table of cases for all who judge an archived file: the archive command, the restore command, verification."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackctl.backup.archive import Archive
from stackctl.backup.archived_list import LIST
from stackctl.backup.verify import verify_archive
from stackctl.backup.wal_name import SEGMENT_SIZE

SCRIPTS = Path(__file__).resolve().parents[3] / "config" / "postgres"
NAME = "00000002.history"
CONTENT = b"1\t0/3000158\tno recovery target specified\n"
SYSTEM = 42


def run(script: str, *words: str, cwd: Path) -> int:
    return subprocess.run(["sh", str(SCRIPTS / script), *words], cwd=cwd, capture_output=True, check=False).returncode


@dataclass(frozen=True)
class Place:
    """A data directory with one file to archive, and the archive."""

    data: Path
    root: Path

    @property
    def folder(self) -> Path:
        return self.root / str(SYSTEM)

    @property
    def archived(self) -> Path:
        (found,) = self.folder.glob(f"{NAME}-*")
        return found

    def archive(self) -> int:
        return run("archive-wal", str(self.root), NAME, NAME, cwd=self.data)

    def restore(self) -> int:
        """The exit status; what comes back is what was archived, or nothing."""
        path = self.data / "restored"
        path.unlink(missing_ok=True)
        code = run("restore-wal", str(self.folder), NAME, str(path), cwd=self.data)
        assert (path.read_bytes() if path.exists() else None) == (CONTENT if code == 0 else None)
        return code

    def wrong(self) -> list[str]:
        """What verification says, without the names."""
        archive = Archive(self.folder)
        gone = [f"{name} is lost" for name in archive.lost()]
        return sorted({*(finding.reason for finding in verify_archive(archive)), *gone})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "data", tmp_path / "archive")
    (made.data / "global").mkdir(parents=True)
    (made.data / "global" / "pg_control").write_bytes(SYSTEM.to_bytes(8, "little"))
    (made.data / NAME).write_bytes(CONTENT)
    made.root.mkdir()
    assert made.archive() == 0
    return made


def directory(place: Place) -> None:
    path = place.archived
    path.unlink()
    path.mkdir()


def other_bytes_too(place: Place) -> None:
    """As if two servers had raced for one archive."""
    path = place.folder / f"{NAME}-1-4"
    path.write_bytes(b"else")
    with (place.folder / LIST).open("a") as file:
        file.write(f"{path.name}\n")


def draft(place: Place) -> None:
    """Killed before it was listed."""
    path = place.archived
    path.rename(place.folder / f".{NAME}.77")
    (place.folder / LIST).unlink()


def listed(place: Place) -> None:
    """Killed before it had its name."""
    path = place.archived
    path.rename(place.folder / f".{NAME}.77")


def not_listed(place: Place) -> None:
    """As if somebody had put it there."""
    (place.folder / LIST).write_text("")


BYTES, LOST = "its bytes are not those that were archived", f"{NAME} is lost"
# What happens to the file; then the status of restoring it, the status of archiving it again, what verification says.
CASES: dict[str, tuple[Callable[[Place], object], int, int, list[str]]] = {
    "untouched": (lambda place: None, 0, 0, []),
    "one bit": (lambda place: place.archived.write_bytes(b"0" + CONTENT[1:]), 126, 1, [BYTES]),
    "cut off": (lambda place: os.truncate(place.archived, 20), 126, 1, ["has 20 bytes, not 41"]),
    "emptied": (lambda place: os.truncate(place.archived, 0), 126, 1, ["has 0 bytes, not 41"]),
    "grown": (lambda place: place.archived.write_bytes(CONTENT + b"\n"), 126, 1, ["has 42 bytes, not 41"]),
    "another's bytes": (lambda place: place.archived.write_bytes(CONTENT[::-1]), 126, 1, [BYTES]),
    "a folder": (directory, 126, 1, ["is no ordinary file"]),
    "gone": (lambda place: place.archived.unlink(), 1, 0, [LOST, "is missing"]),
    "never finished": (draft, 1, 0, []),
    "listed, never named": (listed, 1, 0, []),
    "not listed": (not_listed, 0, 0, ["is not in archived.txt"]),
    "there twice": (other_bytes_too, 126, 1, ["is archived 2 times, with other bytes", BYTES]),
}


def received(place: Place, content: bytes, name: str = NAME, stretch: str = "00000001.000001") -> Path:
    """As the receiver keeps it: without a checksum."""
    folder = place.root.parent / "tail" / str(SYSTEM) / stretch
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder.parent


SEGMENT, PARTIAL = "000000010000000000000007", "000000010000000000000007.partial"
ONE, TWO = "00000001.000001", "00000001.000002"


def full(content: bytes) -> bytes:
    """As a segment has it: zeros follow."""
    return content.ljust(SEGMENT_SIZE, b"\0")


# What the receiver has of a segment, by folder and name; then what is restored of it.
TAILS: dict[str, tuple[dict[tuple[str, str], bytes], bytes | None]] = {
    "nothing": ({}, None),
    "another one": ({(ONE, "000000010000000000000008"): full(b"else")}, None),
    "whole": ({(ONE, SEGMENT): full(b"whole")}, full(b"whole")),
    "in part": ({(ONE, PARTIAL): full(b"part")}, full(b"part")),
    "whole and in part": ({(ONE, SEGMENT): full(b"parts"), (TWO, PARTIAL): full(b"part")}, full(b"parts")),
    "begun twice": ({(ONE, PARTIAL): full(b"longer"), (TWO, PARTIAL): full(b"lon")}, full(b"longer")),
    "being made": ({(ONE, f"{SEGMENT}.tmp"): full(b"part")}, None),
    "begun on a full disk": ({(ONE, PARTIAL): bytes(8192)}, None),
    "begun, without any length": ({(ONE, PARTIAL): b""}, None),
    "cut off": ({(ONE, SEGMENT): b"whole" + bytes(100)}, None),
    "too long": ({(ONE, SEGMENT): full(b"whole") + b"more"}, None),
    "in part, and begun on a full disk": (
        {(ONE, PARTIAL): full(b"part"), (TWO, PARTIAL): b"more than part"},
        full(b"part"),
    ),
}


@pytest.mark.parametrize("case", TAILS)
def test_the_tail_gives_what_the_archive_lacks(place: Place, case: str) -> None:
    files, wanted = TAILS[case]
    tail = place.root.parent / "tail" / str(SYSTEM)
    for (stretch, name), content in files.items():
        received(place, content, name, stretch)
    path = place.data / "restored"
    code = run("restore-wal", str(place.folder), SEGMENT, str(path), str(tail), cwd=place.data)
    assert (code, path.read_bytes() if path.exists() else None) == (1 if wanted is None else 0, wanted)


WHOLE = f'mv "$TAIL/{ONE}/{PARTIAL}" "$TAIL/{ONE}/{SEGMENT}" 2>/dev/null'
ARCHIVED = f'mv "$TAIL/{ONE}/{PARTIAL}" "$ARCHIVE/{SEGMENT}-$SUM" 2>/dev/null'
BOTH = f"{ARCHIVED.replace(PARTIAL, SEGMENT)} || {WHOLE}"
# What the receiver does just before one of the programs reads; then the programs.
MOMENTS = [(what, program) for what in (WHOLE, ARCHIVED, BOTH) for program in ("wc", "tr", "cat")]


@pytest.mark.parametrize(("what", "program"), MOMENTS)
def test_a_tail_that_changes_while_it_is_read_gives_it_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch, what: str, program: str
) -> None:
    content, path, programs = full(b"some"), place.data / "restored", place.data / "bin"
    tail = received(place, content, PARTIAL)
    done = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout.split()
    programs.mkdir()
    (programs / program).write_text(f'#!/bin/sh\n{what}\nexec /usr/bin/{program} "$@"\n')
    (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name, value in {"TAIL": tail, "ARCHIVE": place.folder, "SUM": b"-".join(done).decode()}.items():
        monkeypatch.setenv(name, str(value))
    assert run("restore-wal", str(place.folder), SEGMENT, str(path), str(tail), cwd=place.data) == 0
    assert path.read_bytes() == content


def test_the_archive_comes_first_and_its_damage_is_not_covered_up(place: Place) -> None:
    tail, path = received(place, b"of the tail"), place.data / "restored"
    words = (str(place.folder), NAME, str(path), str(tail))
    assert run("restore-wal", *words, cwd=place.data) == 0
    assert path.read_bytes() == CONTENT
    place.archived.write_bytes(CONTENT[::-1])
    assert run("restore-wal", *words, cwd=place.data) == 126
    assert not path.exists()
    place.archived.unlink()
    assert run("restore-wal", *words, cwd=place.data) == 0
    assert path.read_bytes() == b"of the tail"


def test_a_tail_that_cannot_be_read_is_no_end_of_the_wal(place: Place) -> None:
    tail = received(place, b"", "other")
    (tail / "00000001.000001" / SEGMENT).mkdir()
    path = place.data / "restored"
    assert run("restore-wal", str(place.folder), SEGMENT, str(path), str(tail), cwd=place.data) == 126
    (tail / "00000001.000001" / SEGMENT).rmdir()
    received(place, full(b"whole"), SEGMENT)
    nowhere = str(place.data / "none" / SEGMENT)
    assert run("restore-wal", str(place.folder), SEGMENT, nowhere, str(tail), cwd=place.data) == 200


@pytest.mark.parametrize("case", CASES)
def test_all_who_judge_an_archived_file_agree(place: Place, case: str) -> None:
    happens, restored, again, wrong = CASES[case]
    happens(place)
    assert place.wrong() == wrong
    assert place.restore() == restored
    assert place.archive() == again
    # What could be archived again is good again; nothing else changed.
    assert place.wrong() == ([] if again == 0 else wrong)
    assert place.restore() == (0 if again == 0 else restored)


def test_a_copy_that_cannot_be_written_is_not_called_damage_of_the_archive(place: Place) -> None:
    full = place.data / "disk"
    full.symlink_to("/dev/full")
    assert run("restore-wal", str(place.folder), NAME, str(full), cwd=place.data) == 200
    assert run("restore-wal", str(place.folder), NAME, str(place.data / "none" / NAME), cwd=place.data) == 200
    place.archived.write_bytes(CONTENT[::-1])
    assert run("restore-wal", str(place.folder), NAME, str(place.data / "none" / NAME), cwd=place.data) == 126
