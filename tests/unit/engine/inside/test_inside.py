"""The engine of the scheduler's container refuses whatever is not a backup's."""

from pathlib import Path

import pytest

from stackctl.engine.inside.engine import InsideEngine
from stackctl.engine.runner import Runner
from stackctl.errors import NoEngine


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("deployment", [[]]),
        ("extra", [None, None]),
        ("prepare", [None, print]),
        ("start", [None, [], 1.0, print]),
        ("places", []),
        ("stop", [print]),
        ("destroy", [print]),
        ("logs", [None, 1]),
        ("follow", [None, 1]),
    ],
)
def test_it_can_do_nothing_to_the_stack(name, arguments):
    with pytest.raises(NoEngine, match="takes backups and nothing else"):
        getattr(InsideEngine(Runner(), 17), name)(*arguments)


def test_the_repository_is_what_the_container_was_told(monkeypatch):
    monkeypatch.setenv("STACKCTL_REPOSITORY", "/srv/a $b")
    assert InsideEngine(Runner(), 17).repository() == Path("/srv/a $b")
    monkeypatch.delenv("STACKCTL_REPOSITORY")
    with pytest.raises(NoEngine):
        InsideEngine(Runner(), 17).repository()


def test_outside_of_a_container_it_has_no_password(monkeypatch):
    monkeypatch.setenv("STACKCTL_REPOSITORY", "/srv/a")
    with pytest.raises(NoEngine, match="monitor_password"):
        InsideEngine(Runner(), 17).query("SELECT 1")
