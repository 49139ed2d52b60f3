"""Dumps of a stack that is down."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from stackctl.backup.dump import Part
from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import Repository
from stackctl.errors import BackupFailed, EngineFailed
from stackctl.operations.backup import take_command
from stackctl.operations.backups.dump import Wanted, dump_command, restore_dump_command
from stopped_stack import Stopped, stopped


@pytest.mark.parametrize("command", [dump_command, take_command])
def test_without_a_server_it_fails_as_every_backup_does(tmp_path, monkeypatch, command):
    (tmp_path / "backups" / "backups").mkdir(parents=True)
    with pytest.raises(BackupFailed, match="the server was not asked: no answer") as found:
        command(stopped(tmp_path, tmp_path / "backups", monkeypatch), None, print)
    assert (found.value.exit_code, found.value.hint) == (40, "stackctl up; stackctl health")


def test_a_dump_for_which_there_is_no_room_is_refused_before_anything_is_read_or_made(tmp_path, monkeypatch):
    """It would fill the disk of the backups, to which WAL is archived."""
    repository, noon = Repository(tmp_path / "backups"), datetime(2026, 3, 1, 12, tzinfo=UTC)
    repository.create()
    identifier, folder = repository.begin(Kind.LOGICAL, noon)
    (folder / "data").mkdir()
    taken = repository.finish(folder, Backup(identifier, Kind.LOGICAL, "native", noon, noon, 0, 17, "7", ""))
    repository.update(replace(taken, bytes=2**60))
    here = SimpleNamespace(group=lambda: -1)
    monkeypatch.setattr(Stopped, "programs", lambda _self: nullcontext(here), raising=False)
    request, told = stopped(tmp_path, repository.root, monkeypatch), []
    with pytest.raises(EngineFailed, match="needs at least") as refused:
        restore_dump_command(request, None, told.append, Wanted(identifier, tmp_path / "copy", Part()))
    assert (refused.value.problems[0].code, told, repository.leftovers()) == ("disk_full", [], [])
