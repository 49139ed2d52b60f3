"""`wal verify` beside a run that changes the repository."""

import pytest

from stackctl.backup.repository import Repository
from stackctl.errors import Locked
from stackctl.operations import wal
from stopped_stack import stopped


@pytest.fixture
def verified(tmp_path, monkeypatch):
    """A repository, and what `wal verify` says of it."""
    repository = Repository(tmp_path / "backups")
    repository.create()
    request = stopped(tmp_path, repository.root, monkeypatch)
    return repository, lambda: wal.verify_command(request, None, lambda _text: None)


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
