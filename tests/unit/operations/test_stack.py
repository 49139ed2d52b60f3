"""What a stack that was prepared will be remembered as."""

from types import SimpleNamespace

import pytest

from profiles import changed, sized
from stackctl.backup.generation import Generations
from stackctl.engine.base import Deployment
from stackctl.engine.docker import place, repository
from stackctl.hardware.model import PORTABLE_BUILD
from stackctl.operations import stack
from stackctl.operations.engines import Choice
from stackctl.operations.project import open_project
from stackctl.operations.result import Request
from stackctl.operations.state import State, save
from stackctl.render.manifest import Target
from stackctl.settings.model import Ports
from stacks import IMAGES, by_path

DOCKER = State("shop", "docker", "asked for", "debian", {"docker": 17})
EMBEDDED = State("shop", "embedded", "asked for", "debian", {"docker": 17, "embedded": 18})


def _prepared(folder, state, choice, flags=None):
    (folder / ".stackctl").mkdir()
    if state:
        save(folder / ".stackctl", state)
    (folder / "stackctl.yaml").write_text("ports: {app: 5555}\n")
    opened = open_project(Request(str(folder), flags or {}))
    return stack.Prepared(opened, choice, None, None, sized(changed()), ())


@pytest.mark.parametrize(
    ("state", "choice", "images"),
    [
        (None, Choice("docker", "debian", ""), "debian"),
        (None, Choice("embedded", "", ""), ""),
        (DOCKER, Choice("docker", "public", ""), "public"),
        (DOCKER, Choice("embedded", "", ""), "debian"),
        (EMBEDDED, Choice("embedded", "", ""), "debian"),
    ],
)
def test_the_image_source_survives_the_embedded_engine(tmp_path, state, choice, images):
    assert _prepared(tmp_path, state, choice).state.images == images


def test_an_image_source_that_was_asked_for_is_kept_for_a_later_docker(tmp_path):
    prepared = _prepared(tmp_path, None, Choice("embedded", "", "no Docker Engine answers"), {"images": "debian"})
    assert prepared.state.images == "debian"


def test_folder_and_ports_are_remembered(tmp_path):
    state = _prepared(tmp_path, None, Choice("docker", "public", "")).state
    assert state.folder == str(tmp_path)
    assert (state.ports["app"], state.ports["postgres"], len(state.ports)) == (5555, 5432, 8)


def test_debian_images_without_docker_size_for_a_server_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "choose", lambda opened, runner: Choice("embedded", "", "no Docker Engine answers"))
    opened_for = []

    def open_engine(opened, choice, runner):
        opened_for.append(opened.settings.profile.postgres)
        raise InterruptedError

    monkeypatch.setattr(stack, "open_engine", open_engine)
    with pytest.raises(InterruptedError):
        stack.prepare(Request(str(tmp_path), {"images": "debian", "ram": "2G", "disk": "2G"}), None)
    assert opened_for == [18]


@pytest.mark.parametrize(
    ("accepted", "words"),
    [(True, "/push-wal %p %f "), (False, "/archive-wal - %p %f ")],
)
def test_of_a_restored_copy_nothing_is_archived_until_it_is_accepted_whatever_archives(tmp_path, accepted, words):
    """The project asked for another engine of backups while the copy waited for a decision."""
    state = State("shop", "docker", "", "debian", {"docker": 17}, data={"docker": Generations(1, 0, accepted, None, 1)})
    (tmp_path / ".stackctl").mkdir()
    save(tmp_path / ".stackctl", state)
    (tmp_path / "stackctl.yaml").write_text("name: shop\nengine: docker\nimages: debian\nbackup: {encryption: on}\n")
    opened, sizing = open_project(Request(str(tmp_path), {})), sized(changed())
    extra = {
        **place.extra(sizing, Ports(), IMAGES, (28, 2)),
        **{"secrets": [], "secrets_folder": "../secrets", "fingerprint": ""},
        **repository.extra(opened.project, sizing, "../../backups/pgbackrest"),
    }
    engine = SimpleNamespace(extra=lambda _sizing, _deployment: extra)
    deployment = Deployment(Target.COMPOSE, place.place_of(17), ("postgres", "app", "migrate"), PORTABLE_BUILD)
    prepared = stack.Prepared(opened, Choice("docker", "debian", ""), engine, deployment, sizing, ())
    conf = by_path(prepared.files())["postgres/postgresql.conf"]
    (line,) = (line for line in conf.splitlines() if line.startswith("archive_command"))
    assert words in line
