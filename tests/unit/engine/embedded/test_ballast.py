"""The ballast as a file: allocated, whole or not there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stackctl.engine.embedded.ballast import EmbeddedBallast
from stackctl.engine.embedded.home import home_of
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed
from stackctl.sizing.ballast import ballast_size, is_held

MIB = 2**20


@pytest.fixture
def ballast(tmp_path):
    home = home_of(Project("shop", tmp_path), None)
    home.disk.mkdir(parents=True)
    return EmbeddedBallast(home, Runner())


def files(ballast):
    return {path.name: path.stat().st_size for path in ballast.home.disk.iterdir()}


def test_its_blocks_are_on_the_disk_until_it_is_freed(ballast):
    assert ballast.held() == 0
    before = shutil.disk_usage(ballast.home.disk).free
    ballast.hold(64 * MIB)
    assert files(ballast) == {"ballast": 64 * MIB}
    assert ballast.held() >= 64 * MIB, "a sparse file would hold nothing back"
    assert before - shutil.disk_usage(ballast.home.disk).free >= 32 * MIB, "others may free some meanwhile"
    ballast.hold(MIB)
    assert files(ballast) == {"ballast": MIB}
    ballast.free()
    ballast.free()
    assert (ballast.held(), files(ballast)) == (0, {})


def test_one_that_does_not_fit_leaves_nothing(ballast):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = ballast.home.disk
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "small", str(disk)], check=True)
    try:
        with pytest.raises(EngineFailed, match="No space left on device"):
            ballast.hold(11 * MIB)
        assert (files(ballast), ballast.held()) == ({}, 0)
        ballast.hold(9 * MIB)
        assert ballast.held() == 9 * MIB
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_it_holds_is_the_size_that_up_asks_for_again(ballast):
    wanted = ballast_size(10 * 1024 * MIB + 1)
    ballast.hold(wanted)
    assert is_held(ballast.held(), wanted)


def test_what_a_killed_run_left_is_freed_too(ballast):
    (ballast.home.disk / "ballast.new").write_bytes(bytes(4096))
    ballast.free()
    assert files(ballast) == {}


def test_it_is_beside_the_data_and_in_no_backup(ballast):
    ballast.hold(MIB)
    (file,) = ballast.home.disk.iterdir()
    assert file.parent == ballast.home.data(18).parent
    assert not file.is_relative_to(ballast.home.data(18))
    assert file.parent == Path(ballast.home.disk)
