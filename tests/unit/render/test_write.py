"""Writing rendered files: all or nothing, and never over somebody's work."""

import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stackctl.errors import EditedByHand, EngineFailed, ProfileError, unwritable
from stackctl.render.model import File
from stackctl.render.write import RECORD, FileChange, compare, snapshot, write

ONE = File("a.conf", b"one\n")
DEEP = File("b/c/d.sh", b"#!/bin/sh\n", 0o755)


def _tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != RECORD
    }


def _mode(path):
    return path.stat().st_mode & 0o777


def test_files_are_written_with_their_modes(tmp_path):
    out = tmp_path / "not" / "yet"
    write(out, [ONE, DEEP])
    assert _tree(out) == {"a.conf": b"one\n", "b/c/d.sh": b"#!/bin/sh\n"}
    assert (_mode(out / "a.conf"), _mode(out / "b/c/d.sh")) == (0o644, 0o755)


def test_a_strict_umask_does_not_lock_the_containers_out(tmp_path):
    before = os.umask(0o077)
    try:
        write(tmp_path, [ONE, DEEP])
    finally:
        os.umask(before)
    assert [_mode(tmp_path / name) for name in ("a.conf", "b", "b/c", "b/c/d.sh")] == [0o644, 0o755, 0o755, 0o755]


def test_writing_again_touches_nothing(tmp_path):
    write(tmp_path, [ONE, DEEP])
    before = {path: path.stat().st_ino for path in (tmp_path / "a.conf", tmp_path / "b/c/d.sh")}
    assert compare(tmp_path, [ONE, DEEP]) == ()
    write(tmp_path, [ONE, DEEP])
    assert {path: path.stat().st_ino for path in before} == before


def test_compare_says_what_write_does(tmp_path):
    write(tmp_path, [ONE, DEEP])
    wanted = [File("a.conf", b"two\n"), File("new", b"")]
    assert compare(tmp_path, wanted) == (
        FileChange("a.conf", "changed"),
        FileChange("b/c/d.sh", "removed"),
        FileChange("new", "added"),
    )
    assert _tree(tmp_path)["a.conf"] == b"one\n"
    write(tmp_path, wanted)
    assert _tree(tmp_path) == {"a.conf": b"two\n", "new": b""}
    assert compare(tmp_path, wanted) == ()


def test_what_stackctl_never_wrote_stays(tmp_path):
    (tmp_path / "mine").write_text("keep")
    write(tmp_path, [ONE])
    write(tmp_path, [])
    assert _tree(tmp_path) == {"mine": b"keep"}


@pytest.mark.parametrize("act", [write, compare])
def test_a_hands_edit_is_refused(tmp_path, act):
    write(tmp_path, [ONE, DEEP])
    (tmp_path / "a.conf").write_text("mine\n")
    with pytest.raises(EditedByHand, match=r"edited by hand: a\.conf in ") as caught:
        act(tmp_path, [File("a.conf", b"two\n")])
    assert caught.value.exit_code == 11
    assert _tree(tmp_path) == {"a.conf": b"mine\n", "b/c/d.sh": b"#!/bin/sh\n"}


def test_a_strangers_file_is_refused(tmp_path):
    (tmp_path / "a.conf").write_text("theirs\n")
    with pytest.raises(EditedByHand, match=r"a\.conf exists and stackctl did not write it"):
        write(tmp_path, [DEEP, ONE])
    assert _tree(tmp_path) == {"a.conf": b"theirs\n"}


def test_a_strangers_file_with_our_very_bytes_is_adopted(tmp_path):
    (tmp_path / "a.conf").write_bytes(ONE.content)
    write(tmp_path, [ONE])
    assert _tree(tmp_path) == {"a.conf": b"one\n"}


def test_a_missing_file_is_restored(tmp_path):
    write(tmp_path, [ONE, DEEP])
    (tmp_path / "a.conf").unlink()
    assert compare(tmp_path, [ONE, DEEP]) == (FileChange("a.conf", "added"),)
    write(tmp_path, [ONE, DEEP])
    assert _tree(tmp_path)["a.conf"] == b"one\n"


@pytest.mark.parametrize("reached", [b"one\n", b"two\n"])
def test_an_interrupted_write_is_finished_by_the_next(tmp_path, reached):
    # The record names both contents while files are being exchanged.
    digests = [hashlib.sha256(content).hexdigest() for content in (b"two\n", b"one\n")]
    (tmp_path / RECORD).write_text(json.dumps({"a.conf": digests}))
    (tmp_path / "a.conf").write_bytes(reached)
    write(tmp_path, [File("a.conf", b"two\n")])
    assert _tree(tmp_path) == {"a.conf": b"two\n"}
    assert json.loads((tmp_path / RECORD).read_text()) == {"a.conf": digests[:1]}


KILLED = """
import os, pathlib, sys
from stackctl.render import write as module
from stackctl.render.model import File
folder = pathlib.Path(sys.argv[1])
replaced = []
def replace(self, target, plain=pathlib.Path.replace):
    plain(self, target)
    replaced.append(target)
    if len(replaced) == 2:  # the record, and the first of two files
        os._exit(9)
pathlib.Path.replace = replace
module.write(folder, [File("a", b"new a"), File("b", b"new b")])
"""


def test_a_run_that_is_killed_between_two_files_can_be_repeated(tmp_path):
    write(tmp_path, [File("a", b"old a"), File("b", b"old b")])
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False).returncode == 9
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"new a", b"old b")
    wanted = [File("a", b"new a"), File("b", b"new b")]
    assert compare(tmp_path, wanted) == (FileChange("b", "changed"),)
    write(tmp_path, wanted)
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"new a", b"new b")


LIMITED = """
import pathlib, resource, sys
from stackctl.errors import StackError
from stackctl.render.model import File
from stackctl.render.write import write
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write(pathlib.Path(sys.argv[1]), [File("a.conf", b"two"), File("new", b""), File("large", bytes(10_000))])
except StackError as error:
    print(error.exit_code)
"""


def test_a_write_that_cannot_be_finished_changes_nothing(tmp_path):
    write(tmp_path, [ONE, DEEP])
    record = (tmp_path / RECORD).read_bytes()
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "10\n"
    assert _tree(tmp_path) == {"a.conf": b"one\n", "b/c/d.sh": b"#!/bin/sh\n"}
    assert (tmp_path / RECORD).read_bytes() == record
    assert sorted(path.name for path in tmp_path.iterdir()) == [RECORD, "a.conf", "b"]


def test_a_full_disk_is_named(tmp_path):
    error = unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, EngineFailed)
    assert (error.exit_code, str(error)) == (20, f"{tmp_path}: the disk is full, nothing was changed")
    assert unwritable(tmp_path, OSError(errno.EACCES, "Permission denied")).exit_code == 10


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ProfileError):
        write(tmp_path / "out", [ONE])


@pytest.mark.parametrize("text", ["", "{", "\x00"])
def test_a_broken_record_is_not_guessed_at(tmp_path, text):
    write(tmp_path, [ONE])
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ProfileError, match="cannot be read"):
        write(tmp_path, [ONE])


def test_a_snapshot_goes_back(tmp_path):
    assert snapshot(tmp_path) == ()
    write(tmp_path, [ONE, DEEP])
    before = snapshot(tmp_path)
    write(tmp_path, [File("a.conf", b"two\n")])
    write(tmp_path, before)
    assert _tree(tmp_path) == {"a.conf": b"one\n", "b/c/d.sh": b"#!/bin/sh\n"}
    assert _mode(tmp_path / "b/c/d.sh") == 0o755


def test_paths_with_spaces_and_other_letters(tmp_path):
    out = Path(tmp_path / "ein Laden für Käse")
    write(out, [ONE])
    assert (out / "a.conf").read_bytes() == b"one\n"
