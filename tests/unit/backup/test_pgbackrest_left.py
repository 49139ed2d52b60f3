"""A backup whose run was killed goes on in the database's container: who waits for it, and for how long."""

import os
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from stackctl.backup.pgbackrest.left import marked, tidy
from stackctl.errors import BackupFailed, Locked

STARTED = 1_700_000_000.0


def tool(said):
    programs = SimpleNamespace(end_orphans=lambda: said.append("orphans") is None, end_strays=said.extend)
    engine = SimpleNamespace(programs=lambda: nullcontext(programs), query=lambda _sql: [{"at": STARTED}])
    return SimpleNamespace(engine=engine)


def killed(folder, at):
    """What a killed run leaves: what is there while it is at work."""
    with marked(folder):
        (mark,) = folder.iterdir()
    mark.touch()
    os.utime(mark, (at, at))


def inside(monkeypatch):
    monkeypatch.setenv("STACKCTL_REPOSITORY", "/srv/backups")


def test_the_scheduler_waits_for_one_that_it_cannot_see(tmp_path, monkeypatch):
    killed(tmp_path, STARTED + 60)
    inside(monkeypatch)
    said = []
    with pytest.raises(Locked, match="may be at work in the database's container") as caught:
        tidy(tool(said), tmp_path, print)
    assert "on the machine itself" in caught.value.hint
    assert said == []


def test_it_does_not_wait_for_one_that_ended_with_its_server(tmp_path, monkeypatch):
    """As after a power cut, when nobody is there to run a command."""
    killed(tmp_path, STARTED - 60)
    inside(monkeypatch)
    tidy(tool([]), tmp_path, print)
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_the_machine_ends_it_and_lets_the_scheduler_go_on(tmp_path, monkeypatch):
    killed(tmp_path, STARTED + 60)
    said = []
    tidy(tool(said), tmp_path, print)
    assert said == ["orphans"]
    inside(monkeypatch)
    tidy(tool(said), tmp_path, print)


def test_one_that_came_to_its_end_leaves_nothing_good_or_bad(tmp_path):
    def fail():
        assert list(tmp_path.iterdir()) != []
        raise BackupFailed("a page is damaged", hint="")

    with pytest.raises(BackupFailed), marked(tmp_path):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_in_the_container_what_was_written_down_of_the_machines_folders_stays(tmp_path, monkeypatch):
    """The same path is another place there: that nothing is in it says nothing."""
    (tmp_path / "copy-1").write_bytes(os.fsencode(tmp_path / ".restore-of-the-machine"))
    inside(monkeypatch)
    tidy(tool([]), tmp_path, print)
    assert (tmp_path / "copy-1").exists()
    monkeypatch.delenv("STACKCTL_REPOSITORY")
    tidy(tool([]), tmp_path, print)
    assert not (tmp_path / "copy-1").exists()
