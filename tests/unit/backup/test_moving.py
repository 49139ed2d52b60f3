"""What is copied of a folder that somebody else may write to meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.backup.moving import copy_tree
from stackctl.errors import StackError

SECRET = "of root alone"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "base").mkdir(parents=True)
    (made / "base" / "1").write_bytes(b"rows")
    (made / "base" / "1").chmod(0o600)
    os.utime(made / "base" / "1", ns=(1, 2_000_000_000))
    (made / "link").symlink_to("base/1")
    (tmp_path / "secret").write_text(SECRET)
    return made


def test_all_is_there_with_its_mode_and_time(source: Path, tmp_path: Path) -> None:
    copy_tree(source, tmp_path / "copy")
    one = tmp_path / "copy" / "base" / "1"
    assert one.read_bytes() == b"rows"
    assert (one.stat().st_mode & 0o777, one.stat().st_mtime_ns) == (0o600, 2_000_000_000)
    assert (tmp_path / "copy" / "link").readlink() == Path("base/1")


def link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def pipe(path: Path, _secret: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("becomes", [link, pipe])
def test_what_takes_the_place_of_a_file_is_not_read(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, becomes: Callable[[Path, Path], None]
) -> None:
    real = os.open
    there = source / "base" / "1"

    def swapped(*words: object, **named: object) -> int:
        if str(words[0]) == str(there):
            there.unlink()
            becomes(there, tmp_path / "secret")
        return real(*words, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(StackError):
        copy_tree(source, tmp_path / "copy")
    assert not [path for path in (tmp_path / "copy").rglob("*") if path.is_file() and SECRET in path.read_text()]


def test_a_link_in_the_place_of_the_copy_is_not_written_through(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy" / "base").mkdir(parents=True)
    (tmp_path / "copy" / "base" / "1").symlink_to(tmp_path / "secret")
    with pytest.raises(StackError):
        copy_tree(source, tmp_path / "copy")
    assert (tmp_path / "secret").read_text() == SECRET
