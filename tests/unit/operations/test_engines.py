"""Which engine a project runs on."""

import json

import pytest

from stackctl.engine.docker import containers
from stackctl.engine.embedded import scheduled
from stackctl.engine.runner import Completed
from stackctl.errors import NoEngine
from stackctl.operations.engines import Choice, choose, compose_version, open_engine, recorded_engine
from stackctl.operations.project import open_project, open_recorded
from stackctl.operations.result import Request
from stackctl.operations.state import State, save


class FakeRunner:
    """`docker compose version` as a host with or without the plugin answers it."""

    def __init__(self, returncode=0, stdout=""):
        self.done = (returncode, stdout)

    def run(self, argv, **_options):
        if self.done[0] is None:
            raise NoEngine("docker is not installed", hint="")
        return Completed(tuple(argv), *self.done, "")


def _opened(folder, flags=None, state=None):
    if state:
        (folder / ".stackctl").mkdir()
        save(folder / ".stackctl", state)
    return open_project(Request(str(folder), flags or {}))


DOCKER = State("shop", "docker", "Docker answers", "debian", {"docker": 17})
EMBEDDED = State("shop", "embedded", "no Docker Engine answers", "", {"embedded": 18})


@pytest.mark.parametrize(
    ("flags", "state", "choice"),
    [
        ({"engine": "embedded"}, None, Choice("embedded", "", "asked for")),
        ({"engine": "docker"}, None, Choice("docker", "public", "asked for")),
        ({"engine": "docker", "images": "debian"}, None, Choice("docker", "debian", "asked for")),
        ({"engine": "embedded"}, DOCKER, Choice("embedded", "", "asked for")),
        ({"engine": "docker"}, DOCKER, Choice("docker", "debian", "asked for")),
        ({}, DOCKER, Choice("docker", "debian", "recorded by the first up: Docker answers")),
        ({"images": "public"}, DOCKER, Choice("docker", "public", "recorded by the first up: Docker answers")),
        ({}, EMBEDDED, Choice("embedded", "", "recorded by the first up: no Docker Engine answers")),
    ],
)  # fmt: skip
def test_asked_for_beats_recorded_and_nothing_is_probed(tmp_path, flags, state, choice):
    assert choose(_opened(tmp_path, flags, state), FakeRunner(None)) == choice


def test_where_no_docker_answers_the_embedded_engine_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    assert choose(_opened(tmp_path), FakeRunner()) == Choice("embedded", "", "no Docker Engine answers")


def test_an_engine_that_refuses_this_user_is_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "engine_version", lambda: None)
    monkeypatch.setattr(containers, "engine_problem", lambda: "permission denied on its socket")
    reason = "Docker Engine: permission denied on its socket"
    assert choose(_opened(tmp_path), FakeRunner()) == Choice("embedded", "", reason)
    with pytest.raises(NoEngine, match=reason):
        open_engine(_opened(tmp_path), Choice("docker", "public", ""), FakeRunner())


@pytest.mark.parametrize(
    ("returncode", "stdout", "version"), [(0, "2.26.1-4\n", "2.26.1-4"), (1, "what", ""), (None, "", "")]
)
def test_compose_version(returncode, stdout, version):
    assert compose_version(FakeRunner(returncode, stdout)) == version


def test_a_project_that_never_ran_has_no_engine(tmp_path):
    with pytest.raises(NoEngine, match="nothing was brought up") as caught:
        recorded_engine(_opened(tmp_path), FakeRunner())
    assert (caught.value.exit_code, caught.value.hint) == (21, "stackctl up")


def test_a_docker_that_went_away_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(NoEngine, match="Docker Engine does not answer"):
        recorded_engine(_opened(tmp_path, state=DOCKER), FakeRunner())


@pytest.mark.parametrize(
    ("versions", "ports", "postgres", "port"),
    [({"embedded": 17}, {"postgres": 5999}, 17, 5999), ({"docker": 17}, {}, 18, 5432), ({}, {"new": 1}, 18, 5432)],
)
def test_a_running_engine_is_opened_as_it_was_brought_up(tmp_path, monkeypatch, versions, ports, postgres, port):
    made = []
    monkeypatch.setattr(scheduled, "ScheduledEngine", lambda *given: made.append(given))
    (tmp_path / ".stackctl").mkdir()
    state = {"name": "shop", "engine": "embedded", "versions": versions, "ports": ports}
    (tmp_path / ".stackctl" / "state.json").write_text(json.dumps(state))
    recorded_engine(open_recorded(Request(str(tmp_path))), FakeRunner())
    project, _, version, found, *_ = made[0]
    assert (project.name, version, found.postgres, found.app) == ("shop", postgres, port, 4444)
