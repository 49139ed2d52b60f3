"""Checksums of a folder, and what they find."""

import pytest

from stackctl.backup import checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "base").mkdir()
    for number in range(3):
        (tmp_path / "base" / str(number)).write_bytes(bytes([number]) * 9000)
    (tmp_path / "empty").write_bytes(b"")
    return tmp_path


def wrong(folder, listed):
    return checksums.differences(listed, checksums.digests(folder, frozenset()))


def test_an_untouched_folder_has_no_differences(folder):
    listed = checksums.digests(folder, frozenset())
    assert wrong(folder, checksums.read(checksums.written(listed))) == []
    # sha256 of no bytes
    assert listed["empty"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_kind_of_change_is_named(folder):
    listed = checksums.digests(folder, frozenset())
    (folder / "base" / "0").write_bytes(bytes(8999) + b"\x01")
    (folder / "base" / "1").unlink()
    (folder / "base" / "2").write_bytes(b"\x02" * 8999)
    (folder / "new").write_text("")
    assert wrong(folder, listed) == [
        "base/0: its bytes are not those of the backup",
        "base/1: is missing",
        "base/2: its bytes are not those of the backup",
        "new: does not belong to the backup",
    ]


def test_a_link_in_the_place_of_a_folder_is_seen(folder, tmp_path_factory):
    listed = checksums.digests(folder, frozenset())
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "base").rename(elsewhere / "base")
    (folder / "base").symlink_to(elsewhere / "base")
    assert "base" in checksums.files_below(folder)
    with pytest.raises(OSError, match="no ordinary file"):
        wrong(folder, listed)


@pytest.mark.parametrize("content", [b"\xff", b"x", b"00  a", b"\n", b"a  b\na  b\n"])
def test_a_list_that_nobody_wrote(content):
    with pytest.raises(checksums.DamagedList):
        checksums.read(content)


def test_progress_counts_every_byte(folder):
    seen = []
    checksums.digests(folder, frozenset(["empty"]), seen.append)
    assert sum(seen) == 27_000
