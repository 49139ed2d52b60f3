"""The keys that the running server reads change only with the shop, and go back with it."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from rendered_repository import rendered_conf
from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, ProfileError
from stackctl.operations import apply as applying
from stackctl.operations.changes import Changes
from stackctl.operations.project import open_project
from stackctl.operations.repository_keys import bring_keys, drop_keys, keys_at_hand
from stackctl.operations.restoring import in_place
from stackctl.operations.result import Request
from stackctl.operations.stack import make_secrets
from stackctl.operations.state import State, save
from stackctl.render.model import File
from stackctl.render.write import FileChange, write

CONF, PASSPHRASE = "postgres/pgbackrest.conf", "repository_passphrase"
HEAD = "name: shop\nengine: docker\nimages: debian\n"
ENCRYPTED = HEAD + "backup: {encryption: on}\n"
STORE = HEAD + "backup: {repository: 's3://shop', key_file: key, secret_file: secret}\n"
OTHER = HEAD + "backup: {repository: 's3://other', key_file: other, secret_file: secret}\n"


@dataclass
class Stack:
    """A project folder, and an engine that fails at the step that is named."""

    folder: Path
    fails: str = ""
    during: list[str] = field(default_factory=list)

    def __post_init__(self):
        for name in ("key", "secret", "other"):
            (self.folder / name).write_text(f"{name}-of-the-store\n")
        (self.folder / ".stackctl").mkdir(mode=0o700)
        save(self.folder / ".stackctl", State("shop", "docker", "", "debian", {"docker": 17}, folder=str(self.folder)))

    @property
    def keys(self):
        return self.folder / ".stackctl" / "repository"

    @property
    def secrets(self):
        return self.folder / ".stackctl" / "secrets"

    def held(self):
        return (self.keys / "keys.conf").read_text() if self.keys.is_dir() else None

    def prepared(self, text):
        """With the project file as `text` has it now."""
        (self.folder / "stackctl.yaml").write_text(text)
        opened = open_project(Request(str(self.folder), {}))
        engine = SimpleNamespace(
            name="docker",
            repository=lambda: _repository(opened.project),
            prepare=self._step("prepare"),
            start=self._step("start"),
            running=lambda: True,
            reload=lambda: None,
            places=lambda: None,
            services=list,
            stop=lambda _: None,
            deployment=lambda names: SimpleNamespace(services=tuple(names)),
        )
        choice = SimpleNamespace(engine="docker", images="debian")
        return SimpleNamespace(
            opened=opened,
            choice=choice,
            engine=engine,
            state=opened.state,
            deployment=SimpleNamespace(services=("postgres",)),
            files=lambda: (File(CONF, _conf(opened.project)),),
        )

    def _step(self, name):
        def run(*_):
            self.during.append(f"{name}: {self.held()}")
            if name == self.fails:
                raise EngineFailed("no", hint="")

        return run

    def up(self, text, *, running=True):
        prepared = self.prepared(text)
        make_secrets(prepared)
        changes = Changes([FileChange(CONF, "changed")], [], ["postgres"], running=running)
        applying.apply(prepared, changes, 60, Runner(), lambda _: None)


def _repository(project):
    return project.repository or project.folder / "backups"


def _conf(project):
    return b"none" if project.pgbackrest is None else rendered_conf(project, _repository(project))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    for name in ("taken", "_new_ports", "refuse_stray", "usable_repository", "drop_slot"):
        monkeypatch.setattr(applying, name, lambda *_, **__: None)
    made = Stack(tmp_path)
    monkeypatch.setattr(applying, "recorded_engine", lambda *_: made.prepared(made.last).engine)
    made.last = STORE
    return made


FIRST, SECOND = (f"[global]\nrepo1-s3-key={name}-of-the-store\n" for name in ("key", "other"))
SECRET = "repo1-s3-key-secret=secret-of-the-store\n"


def test_they_are_there_before_the_start_and_not_before_all_is_at_hand(shop):
    shop.up(STORE)
    shop.up(OTHER)
    assert shop.during == [
        f"{step}"
        for step in (
            "prepare: None",
            f"start: {FIRST}{SECRET}",
            f"prepare: {FIRST}{SECRET}",
            f"start: {SECOND}{SECRET}",
        )
    ]


@pytest.mark.parametrize("fails", ["prepare", "start"])
def test_they_go_back_with_a_change_that_fails(shop, fails):
    shop.up(STORE)
    shop.fails = fails
    with pytest.raises(EngineFailed):
        shop.up(OTHER)
    assert shop.held() == FIRST + SECRET
    assert b"s3-bucket=shop\n" in (shop.folder / ".stackctl" / "rendered" / CONF).read_bytes()


def test_they_go_back_to_none(shop):
    shop.fails = "start"
    with pytest.raises(EngineFailed):
        shop.up(STORE, running=False)
    assert not shop.keys.exists()


@pytest.mark.parametrize("text", [OTHER, ENCRYPTED, HEAD])
def test_a_restore_that_is_only_planned_changes_none(shop, monkeypatch, text):
    """The server archives with them."""
    shop.up(STORE)
    monkeypatch.setattr(in_place, "prepare", lambda *_: shop.prepared(text))
    how = in_place.How(Runner(), lambda _: None, lambda _: True, 60)
    with in_place.opened(Request(str(shop.folder), {}), how):
        pass
    assert shop.held() == FIRST + SECRET
    assert not (shop.secrets / PASSPHRASE).exists(), "nor is a passphrase made"


def test_a_restore_on_a_machine_without_them_makes_them(shop, monkeypatch):
    shop.up(STORE)
    (shop.keys / "keys.conf").unlink()
    monkeypatch.setattr(in_place, "prepare", lambda *_: shop.prepared(STORE))
    with in_place.opened(Request(str(shop.folder), {}), in_place.How(Runner(), lambda _: None, lambda _: True, 60)):
        assert shop.held() == FIRST + SECRET


@pytest.mark.parametrize("changing", [True, False])
def test_a_lost_passphrase_is_put_back_by_whatever_looks_for_it(shop, changing):
    shop.up(ENCRYPTED)
    before = shop.held()
    (shop.secrets / PASSPHRASE).unlink()
    make_secrets(shop.prepared(ENCRYPTED), changing=changing)
    assert shop.held() == before
    assert before == f"[global]\nrepo1-cipher-pass={(shop.secrets / PASSPHRASE).read_text()}\n"


@pytest.mark.parametrize("changing", [True, False])
def test_where_both_copies_are_lost_nobody_makes_another_one_for_the_same_repository(shop, changing):
    shop.up(ENCRYPTED)
    (shop.secrets / PASSPHRASE).unlink()
    (shop.keys / "keys.conf").unlink()
    with pytest.raises(ProfileError, match="its file is gone"):
        make_secrets(shop.prepared(ENCRYPTED), changing=changing)
    assert not (shop.secrets / PASSPHRASE).exists()
    make_secrets(shop.prepared(ENCRYPTED.replace("on}", "on, repository: anew}")))
    assert (shop.secrets / PASSPHRASE).exists()


def test_none_stay_where_nobody_needs_them(shop):
    shop.up(STORE)
    prepared = shop.prepared(HEAD)
    bring_keys(prepared)
    assert shop.held() == FIRST + SECRET, "as long as the server archives with them"
    drop_keys(prepared.opened.project)
    assert not shop.keys.exists()
    keys_at_hand(prepared)
    assert not shop.keys.exists()


def test_a_change_that_cannot_be_written_whole_leaves_the_old_ones(shop):
    shop.up(STORE)
    write(shop.folder / ".stackctl" / "rendered", [File(CONF, b"")])
    prepared = shop.prepared(OTHER)
    (shop.folder / "other").unlink()
    with pytest.raises(ProfileError, match=r"backup\.key_file"):
        make_secrets(prepared)
    with pytest.raises(ProfileError, match=r"backup\.key_file"):
        bring_keys(prepared)
    assert shop.held() == FIRST + SECRET
