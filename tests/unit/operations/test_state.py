"""What a project remembers."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.errors import ProfileError
from stackctl.operations.state import State, default_name, forget, load, make_private, save

STATE = State("shop", "docker", "asked for", "debian", {"docker": 17}, {"ram": "2G"}, ["work_mem=8MB"])


def test_nothing_is_remembered_before_the_first_time(tmp_path):
    assert load(tmp_path / "not" / "there") is None


def test_what_is_saved_is_loaded(tmp_path):
    save(tmp_path, STATE)
    assert load(tmp_path) == STATE
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_what_is_saved_outlasts_a_power_cut(tmp_path, monkeypatch):
    """The rename too: its folder reaches the disk, and after it."""
    synced, sync = [], os.fsync

    def watched(descriptor):
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), (tmp_path / "state.json").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    save(tmp_path, STATE)
    assert synced[-1] == (tmp_path, True)


def test_flags_and_pins_may_be_missing(tmp_path):
    text = '{"name": "shop", "engine": "embedded", "reason": "asked for", "images": "", "versions": {"embedded": 18}}'
    (tmp_path / "state.json").write_text(text)
    assert load(tmp_path) == State("shop", "embedded", "asked for", "", {"embedded": 18})


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_broken_file_is_not_guessed_at(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ProfileError, match=r"state\.json: cannot be read") as caught:
        load(tmp_path)
    assert caught.value.exit_code == 10


STANDARD_PORTS = {
    "app": 4444,
    "metrics": 4445,
    "postgres": 5432,
    "exporter": 9187,
    "observer": 9188,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
}


def test_what_another_version_wrote_is_read_as_far_as_it_goes(tmp_path):
    text = (
        '{"name": "shop", "engine": "docker", "surprise": [1], "versions": null, "ports": {"app": 5555, "new": 6666}}'
    )
    (tmp_path / "state.json").write_text(text)
    state = load(tmp_path)
    assert (state.name, state.engine, state.versions, state.sets, state.folder) == ("shop", "docker", {}, (), "")
    assert state.ports == {**STANDARD_PORTS, "app": 5555, "new": 6666}


@pytest.mark.parametrize(("file", "engine"), [("compose.yaml", "docker"), ("supervisord.conf", "embedded")])
def test_an_empty_state_is_filled_from_what_is_there(tmp_path, file, engine):
    private = tmp_path / "shop" / ".stackctl"
    (private / "rendered").mkdir(parents=True)
    (private / "rendered" / file).write_text("")
    (private / "state.json").write_text("{}")
    state = load(private)
    assert (state.name, state.engine) == (default_name(tmp_path / "shop"), engine)
    assert (state.images, state.versions, state.flags, state.ports) == ("", {}, {}, STANDARD_PORTS)


def test_with_its_only_data_gone_nothing_is_remembered(tmp_path):
    save(tmp_path, STATE)
    forget(tmp_path, STATE)
    forget(tmp_path, STATE)
    assert load(tmp_path) is None


def test_the_other_engines_data_is_then_the_projects(tmp_path):
    forget(tmp_path, replace(STATE, versions={"docker": 17, "embedded": 18}))
    state = load(tmp_path)
    assert (state.engine, dict(state.versions), state.name) == ("embedded", {"embedded": 18}, "shop")


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path):
    save(tmp_path, STATE)
    (tmp_path / ".state.json.new").mkdir()
    with pytest.raises(ProfileError):
        save(tmp_path, State("other", "docker", "", "", {}))
    assert json.loads((tmp_path / "state.json").read_text())["name"] == "shop"


def test_the_private_folder_is_ours_alone(tmp_path):
    private = tmp_path / ".stackctl"
    make_private(private)
    assert private.stat().st_mode & 0o777 == 0o700
    private.chmod(0o755)
    make_private(private)
    assert private.stat().st_mode & 0o777 == 0o700
    assert list(private.iterdir()) == []


def test_a_private_folder_that_cannot_be_made(tmp_path):
    (tmp_path / ".stackctl").write_text("")
    with pytest.raises(ProfileError, match="cannot be written"):
        make_private(tmp_path / ".stackctl")
