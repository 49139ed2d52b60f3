"""Content hashes: what changes them and what does not."""

from pathlib import Path

import pytest

from stackctl.images.content import context_hash, digest

BASE = "stackctl/base:trixie"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM x")
    (tmp_path / "run.sh").write_text("hi")
    (tmp_path / "run.sh").chmod(0o755)
    return tmp_path


def hash_of(folder: Path, base: str = BASE) -> str:
    return context_hash(folder / "Dockerfile", folder, base)


def test_known_answer(folder: Path) -> None:
    # printf '20:stackctl/base:trixie10:Dockerfile:0:6:FROM x14:context/run.sh:1:2:hi' | sha256sum
    assert hash_of(folder) == "b81012ad3465"


def test_a_changed_file_a_new_file_a_new_name_and_a_new_mode_each_change_it(folder: Path) -> None:
    seen = {hash_of(folder)}
    (folder / "run.sh").write_text("ho")
    seen.add(hash_of(folder))
    (folder / "more").write_text("")
    seen.add(hash_of(folder))
    (folder / "more").rename(folder / "most")
    seen.add(hash_of(folder))
    (folder / "run.sh").chmod(0o644)
    seen.add(hash_of(folder))
    (folder / "Dockerfile").write_text("FROM y")
    seen.add(hash_of(folder))
    seen.add(hash_of(folder, "python:3.13-slim-trixie"))
    assert len(seen) == 7


def test_the_folder_s_place_file_times_and_byte_code_do_not_change_it(folder: Path, tmp_path: Path) -> None:
    before = hash_of(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "run.pyc").write_bytes(b"\0")
    (folder / "run.sh").touch()
    assert hash_of(folder) == before
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    folder.rename(moved)
    assert hash_of(moved) == before


def test_a_byte_that_moves_between_files_is_a_change() -> None:
    one = digest([("a", False, b"xy"), ("b", False, b"z")], BASE)
    other = digest([("a", False, b"x"), ("b", False, b"yz")], BASE)
    assert one != other
