"""What ends with a bench's containers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackctl.engine.docker.rooms import _CLEAN
from stackctl.engine.runner import Runner

# It lists a container by each filter, until that is removed.
_DOCKER = """#!/bin/sh
cd "$(dirname "$0")"
case "$1 $*" in
    "ps "*label=stackctl.bench=x) ls clients 2>/dev/null ;;
    "ps "*volume=*/scratch) ls clients copies 2>/dev/null ;;
    "rm "*) shift 3; echo "$@" >>removed; rm -f "$@" ;;
esac
exit 0
"""


def test_nothing_copies_the_rows_of_a_stack_once_the_rooms_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its container has the labels of the stack, and a folder of the bench's."""
    docker, scratch = tmp_path / "docker", tmp_path / "scratch"
    docker.write_text(_DOCKER)
    docker.chmod(0o755)
    scratch.mkdir()
    for name in ("clients", "copies"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with Runner().afterwards(["sh", "-c", _CLEAN, "sh", "stackctl.bench=x", str(scratch)]):
        pass
    assert (tmp_path / "removed").read_text() == "clients copies\n"
    assert not scratch.exists()
