"""Data that a stack is to run on and that is not there, as folders of a home."""

from pathlib import Path

import pytest

from stackctl.engine.embedded.generations import EmbeddedPlaces
from stackctl.engine.embedded.home import Home
from stackctl.engine.embedded.programs import Server
from stackctl.engine.runner import Runner
from stackctl.errors import RestoreRefused
from stackctl.operations.restoring.present import refuse_gone


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
