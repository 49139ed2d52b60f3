"""Reading a copy while it grows, and comparing it with the manifest."""

import json
import threading

import pytest

from stackctl.backup.follow import Follower, following

# CRC-32C of 123456789, the check value in every catalogue of checksums, lowest byte first; SHA-256 by sha256sum.
DIGITS = b"123456789"
CRC = "839206e3"
SHA = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"


def manifest(*entries, **named):
    return json.dumps({"Files": [{"Path": path, "Size": 9, "Checksum": CRC} for path in entries], **named}).encode()


def test_a_file_that_grew_in_parts_has_the_checksums_of_the_whole(tmp_path):
    seen, half = [], threading.Event()

    def told(size):
        seen.append(size)
        half.set()

    (tmp_path / "base").mkdir()
    with (tmp_path / "base" / "1").open("wb", buffering=0) as file, following(tmp_path, told) as follower:
        file.write(DIGITS[:4])
        assert half.wait(30)
        file.write(DIGITS[4:])
    assert follower.finish(manifest("base/1")) == ({"base/1": SHA}, [])
    assert (seen[0], sum(seen)) == (4, 9), "nothing was read twice"


def test_what_was_written_over_behind_it_is_read_again(tmp_path):
    (tmp_path / "1").write_bytes(b"x" * 9)
    read = threading.Event()
    with following(tmp_path, lambda _size: read.set()) as follower:
        assert read.wait(30)
    (tmp_path / "1").write_bytes(DIGITS)
    assert follower.finish(manifest("1")) == ({"1": SHA}, [])


@pytest.mark.parametrize("content", [b"123456780", b"12345678", b"1234567890", b"", None])
def test_a_file_that_is_not_as_the_manifest_says(tmp_path, content):
    (tmp_path / "good").write_bytes(DIGITS)
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    assert Follower(tmp_path).finish(manifest("good", "bad")) == ({"good": SHA}, ["bad"])


def test_a_name_that_is_no_text(tmp_path):
    (tmp_path / "caf\udce9").write_bytes(DIGITS)
    entry = {"Encoded-Path": "636166e9", "Size": 9, "Checksum": CRC}
    assert Follower(tmp_path).finish(json.dumps({"Files": [entry]}).encode()) == ({"caf\udce9": SHA}, [])


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"Files": [{"Path": "1"}]}'])
def test_what_is_no_manifest(tmp_path, content):
    with pytest.raises(ValueError, match=r"Key|Type|Expecting"):
        Follower(tmp_path).finish(content)


@pytest.mark.parametrize("path", ["../outside", "/etc/hostname", "base/../../outside"])
def test_a_manifest_leads_nobody_out_of_the_backup(tmp_path, path):
    (tmp_path / "outside").write_bytes(DIGITS)
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match="not in the backup"):
        Follower(tmp_path / "data").finish(manifest(path))
