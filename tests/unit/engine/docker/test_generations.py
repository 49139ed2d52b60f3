"""How a finished copy comes into a volume: the script that runs in its container, run here."""

import os
import subprocess

import pytest

from stackctl.engine.docker.generations import INSTALL


def installed(tmp_path, cp):
    """Run it with this in the place of cp."""
    source, mount, programs = (tmp_path / name for name in ("candidate", "mount", "programs"))
    (source / "base dir").mkdir(parents=True)
    (source / "base dir" / "1").write_bytes(b"rows")
    (source / "PG_VERSION").write_text("18\n")
    (source / "pg_empty").mkdir()
    mount.mkdir()
    programs.mkdir()
    (programs / "cp").write_text(f"#!/bin/sh\n{cp}\n")
    (programs / "cp").chmod(0o755)
    words = (str(source), str(mount / "data"), f"{os.getuid()}:{os.getgid()}", str(mount))
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", INSTALL, "sh", *words], capture_output=True, text=True, check=False, env=env)


def test_all_of_it_is_there_for_the_account_alone(tmp_path):
    done = installed(tmp_path, 'exec /bin/cp "$@"')
    assert (done.returncode, done.stderr) == (0, "")
    data = tmp_path / "mount" / "data"
    assert (data / "base dir" / "1").read_bytes() == b"rows"
    assert (data / "pg_empty").is_dir()
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("harm", ['rm "$3/PG_VERSION"', ': >"$3/base dir/1"'])
def test_a_copy_that_is_not_whole_is_an_error(tmp_path, harm):
    """As of a disk that takes what is written and loses it."""
    done = installed(tmp_path, f'/bin/cp "$@"; {harm}')
    assert (done.returncode, "has other files than" in done.stderr) == (1, True)
