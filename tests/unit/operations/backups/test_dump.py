"""A dump of a stack that is down."""

import pytest

from stackctl.errors import BackupFailed
from stackctl.operations.backup import take_command
from stackctl.operations.backups.dump import dump_command
from stopped_stack import stopped


@pytest.mark.parametrize("command", [dump_command, take_command])
def test_without_a_server_it_fails_as_every_backup_does(tmp_path, monkeypatch, command):
    (tmp_path / "backups" / "backups").mkdir(parents=True)
    with pytest.raises(BackupFailed, match="the server was not asked: no answer") as found:
        command(stopped(tmp_path, tmp_path / "backups", monkeypatch), None, print)
    assert (found.value.exit_code, found.value.hint) == (40, "stackctl up; stackctl health")
