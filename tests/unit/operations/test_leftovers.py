"""Data that is removed after a restore, its undoing or its acceptance, and when."""

from pathlib import Path

import pytest

from stackctl.backup.generation import Generations
from stackctl.engine.embedded.generations import EmbeddedPlaces
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.programs import Server
from stackctl.engine.runner import Runner
from stackctl.operations.restoring.leftovers import remove_unfinished, settle
from stackctl.operations.state import State, load, save

RESTORED = Generations().begun().restored(before=True)


class Folders:
    """Of an engine, the data directories only."""

    def __init__(self, root):
        home = Home(root, root / "rendered", root / "secrets", root / "run", None)
        self._places = EmbeddedPlaces(home, Server(Path("/nowhere"), 18, True), Runner())
        self.data = root / "data"

    def places(self):
        return self._places


@pytest.fixture
def folders(tmp_path):
    for name in ("18", "18.1"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "PG_VERSION").write_text("18\n")
    return Folders(tmp_path)


def names(folders):
    return sorted(path.name for path in folders.data.iterdir())


@pytest.mark.parametrize(("decided", "left"), [(RESTORED.undone(), "18"), (RESTORED.content(), "18.1")])
def test_what_was_run_on_goes_only_once_the_stack_runs(folders, tmp_path, decided, left):
    state = State("shop", "embedded", "asked for", "", {"embedded": 18})
    save(tmp_path, state.on(decided))
    remove_unfinished(tmp_path, folders, print)
    assert names(folders) == ["18", "18.1"], "a command after an interrupted one removes candidates only"
    assert settle(tmp_path, folders, print) == ()
    assert names(folders) == [left]
    assert load(tmp_path).generations == Generations(current=decided.current, last=1)
