"""What the scheduler's container sees of the repository."""

import os
from errno import EIO
from pathlib import Path

import pytest

from stackctl.engine.docker.mounts import extra
from stackctl.engine.project import Project
from stackctl.settings.pgbackrest import PgBackRest, Remote

STORE = Remote("s3", "shop", "/")


@pytest.mark.parametrize(
    ("chosen", "dumped", "seen"),
    [
        (None, False, True),
        (PgBackRest(), False, True),
        (PgBackRest(STORE), False, True),
        (PgBackRest(encryption=True), False, True),
        (PgBackRest(STORE, encryption=True), False, False),
        # Else it would never read those from before, which make the verification late.
        (PgBackRest(STORE, encryption=True), True, True),
    ],
)
def test_it_sees_the_folder_where_dumps_are_taken_or_were(tmp_path, chosen, dumped, seen):
    repository = tmp_path / "backups"
    if dumped:
        (repository / "backups").mkdir(parents=True)
    found = extra(Project("shop", tmp_path, None, chosen), repository, str)
    assert found["scheduler"]["source"] == (str(repository) if seen else None)


def test_a_disk_that_is_away_is_not_mounted_for_dumps_from_before(tmp_path, monkeypatch):
    def failing(_path, **_how):
        raise OSError(EIO, os.strerror(EIO))

    monkeypatch.setattr(Path, "is_dir", failing)
    project = Project("shop", tmp_path, None, PgBackRest(STORE, encryption=True))
    assert extra(project, tmp_path / "backups", str)["scheduler"]["source"] is None
