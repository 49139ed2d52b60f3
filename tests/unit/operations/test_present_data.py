"""Data that a stack is to run on and that is not there, as folders of a home."""

from pathlib import Path

import pytest

from stackctl.backup.generation import Generations
from stackctl.engine.embedded.generations import EmbeddedPlaces
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.programs import Server, find_server
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, RestoreRefused
from stackctl.operations.restoring.present import Present, present_data, refuse_gone, refuse_stray


@pytest.fixture
def places(tmp_path):
    home = Home(tmp_path, tmp_path / "rendered", tmp_path / "secrets", tmp_path / "run", None)
    return EmbeddedPlaces(home, Server(Path("/nowhere"), 18, True), Runner())


def cluster(folder):
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("18\n")


def test_nothing_goes_back_to_data_that_is_gone(places, tmp_path):
    cluster(tmp_path / "data/18.1")
    (tmp_path / "data/18").mkdir()
    with pytest.raises(RestoreRefused, match="data 0, from before the restore, is not there"):
        refuse_gone(places, 0)
    refuse_gone(places, 1)


def test_no_database_is_made_beside_the_data_of_another_number(places, tmp_path):
    """As after a restore that was accepted, with a state.json from before it."""
    refuse_stray(places, 0)
    (tmp_path / "data/18.2.new").mkdir(parents=True)
    refuse_stray(places, 0)
    cluster(tmp_path / "data/18.1")
    cluster(tmp_path / "data/16")
    with pytest.raises(EngineFailed, match=r"data 0, which .* is not there, but data 1 is"):
        refuse_stray(places, 0)
    refuse_stray(places, 1)
    cluster(tmp_path / "data/18")
    refuse_stray(places, 0)


def test_no_number_is_given_of_which_anything_is_there(places, tmp_path):
    cluster(tmp_path / "data/18")
    cluster(tmp_path / "data/18.1")
    (tmp_path / "data/18.3.new").mkdir()
    cluster(tmp_path / "data/16.7")
    assert places.taken() == {0, 1, 3}
    assert Generations().begun(places.taken()) == Generations(unfinished=4, last=4)


def test_data_of_the_same_number_is_neither_overwritten_nor_joined(places, tmp_path):
    cluster(tmp_path / "data/18.1")
    cluster(tmp_path / "restore/data")
    (tmp_path / "data/18.1/real").touch()
    with pytest.raises(EngineFailed, match="data 1 is there already"):
        places.install(tmp_path / "restore/data", 1, print)
    assert sorted(path.name for path in (tmp_path / "data/18.1").iterdir()) == ["PG_VERSION", "real"]
    places.install(tmp_path / "restore/data", 2, print)
    assert (tmp_path / "data/18.2/PG_VERSION").exists()


class Stopped:
    """Of an engine whose server does not run, the data directories only."""

    def __init__(self, root):
        home = Home(root, root / "rendered", root / "secrets", root / "run", None)
        self._places = EmbeddedPlaces(home, find_server(Runner(), 18), Runner())

    def running(self):
        return False

    def places(self):
        return self._places


def test_data_without_its_control_file_is_data(tmp_path):
    engine = Stopped(tmp_path)
    assert present_data(engine, 0) == Present(there=False)
    cluster(tmp_path / "data/18")
    assert present_data(engine, 0) == Present(there=True, system=None)
