"""`wal verify` beside a run that changes the repository."""

from dataclasses import replace

import pytest

from stackctl.backup.repository import Repository
from stackctl.errors import Locked, Unhealthy
from stackctl.operations import backup, wal
from stackctl.operations.result import Request
from stackctl.operations.state import State, save


class Stopped:
    """The engine of a stack that is down."""

    name = "embedded"

    def __init__(self, folder):
        self.folder = folder

    def repository(self):
        return self.folder

    def query(self, _sql):
        raise Unhealthy("no answer", hint="")


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """A repository, and what `wal verify` says of it."""
    (tmp_path / ".stackctl").mkdir()
    save(tmp_path / ".stackctl", replace(State("shop", "embedded", "asked for", "", {}), folder=str(tmp_path)))
    repository = Repository(tmp_path / "backups")
    repository.create()
    monkeypatch.setattr(backup, "recorded_engine", lambda _opened, _runner: Stopped(repository.root))
    return repository, lambda: wal.verify_command(Request(str(tmp_path), environ={}), None, lambda _text: None)


def test_it_reads_nothing_that_may_just_expire(verified):
    repository, verify = verified
    with (
        repository.locked("stackctl backup expire"),
        pytest.raises(Locked, match=r"stackctl backup expire .* is at work"),
    ):
        verify()


def test_it_goes_beside_what_only_reads_and_holds_expiry_up(verified):
    repository, verify = verified
    with repository.shared("stackctl restore", lambda: None):
        assert verify().exit_code == 0
    assert "stackctl wal verify" in (repository.root / "lock").read_text()
