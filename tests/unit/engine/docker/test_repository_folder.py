"""Folders that are there before containers mount them."""

import os

import pytest

from stackctl.engine.docker.repository import make
from stackctl.engine.project import Project
from stackctl.settings.pgbackrest import PgBackRest, Remote

STORE = Remote("s3", "shop", "/")


@pytest.mark.parametrize(
    ("chosen", "scheduled", "there"),
    [
        (None, False, {"backups", "backups/wal"}),
        (PgBackRest(), True, {"backups", "backups/pgbackrest"}),
        (PgBackRest(STORE), True, {"backups"}),
        (PgBackRest(STORE), False, set()),
        (PgBackRest(STORE, encryption=True), True, set()),
    ],
)
def test_only_what_something_mounts_is_made(tmp_path, chosen, scheduled, there):
    make(Project("shop", tmp_path, None, chosen), tmp_path / "backups", None, scheduled=scheduled)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == there


def test_it_is_open_to_nobody_else(tmp_path):
    before = os.umask(0)
    try:
        make(Project("shop", tmp_path, None, PgBackRest(STORE)), tmp_path / "backups", None, scheduled=True)
    finally:
        os.umask(before)
    assert (tmp_path / "backups").stat().st_mode & 0o7777 == 0o750
