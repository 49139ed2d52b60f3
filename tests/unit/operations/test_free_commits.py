"""Commits that wait for a receiver are let go before anything that its disk may break, and never wait again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stackctl.engine.runner import Runner
from stackctl.errors import EngineFailed, ProfileError
from stackctl.operations import apply as applying
from stackctl.operations.changes import Changes, ParameterChange
from stackctl.operations.stack import Prepared
from stackctl.render.model import File
from stackctl.render.write import write

CONF = "postgres/postgresql.conf"
SYNC = b"wal_level = replica\nsynchronous_standby_names = stackctl_receiver\nport = 5432\n"
FREED = b"wal_level = replica\nsynchronous_standby_names = ''\nport = 5432\n"
ASYNC = b"wal_level = replica\nport = 5432\n"
CHANGES = Changes(
    [], [ParameterChange("synchronous_standby_names", "stackctl_receiver", "''", False)], ["postgres"], running=True
)


@dataclass
class Stack:
    """A project, and what the server has read of it."""

    folder: Path
    fails: str
    loaded: list[bytes] = field(default_factory=list)

    def read(self, _engine: object = None) -> None:
        self.loaded.append((self.folder / "rendered" / CONF).read_bytes())

    def prepare(self, *_: object) -> None:
        if self.fails == "prepare":
            raise ProfileError("wal/ cannot be written: Read-only file system", hint="")

    def start(self, _deployment: object, changed: object, *_: object) -> None:
        self.read()
        if self.fails == "start" and (self.folder / "rendered" / CONF).read_bytes() == ASYNC:
            raise EngineFailed("no space left", hint="")


def up(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = stack.folder / "rendered"
    write(rendered, [File(CONF, SYNC)])
    deployment = SimpleNamespace(services=["postgres"])
    engine = SimpleNamespace(
        prepare=stack.prepare,
        start=stack.start,
        reload=stack.read,
        places=lambda: None,
        services=list,
        logs=lambda *_: [],
        deployment=lambda _names: deployment,
    )
    for name in ("taken", "_new_ports", "refuse_stray", "usable_repository", "drop_slot", "save"):
        monkeypatch.setattr(applying, name, lambda *_, **__: None)
    monkeypatch.setattr(applying, "recorded_engine", lambda *_: engine)
    monkeypatch.setattr(applying, "reload_back", stack.read)
    state = SimpleNamespace(generations=SimpleNamespace(current=0))
    keys = stack.folder / "repository"
    project = SimpleNamespace(rendered=rendered, private=stack.folder, pgbackrest=None, repository_keys=keys)
    prepared: Any = SimpleNamespace(
        engine=engine,
        opened=SimpleNamespace(project=project, state=state),
        state=state,
        deployment=deployment,
        files=lambda: (File(CONF, ASYNC),),
    )
    applying.apply(cast(Prepared, prepared), CHANGES, 60, Runner(), lambda _: None)


def test_they_are_let_go_where_the_repository_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(tmp_path, "prepare")
    with pytest.raises(ProfileError, match="Read-only"):
        up(stack, monkeypatch)
    assert stack.loaded == [FREED]


def test_going_back_does_not_let_them_wait_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(tmp_path, "start")
    with pytest.raises(EngineFailed, match="no space"):
        up(stack, monkeypatch)
    assert stack.loaded == [FREED, ASYNC, FREED, FREED]


def test_they_are_let_go_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(tmp_path, "nothing")
    up(stack, monkeypatch)
    assert stack.loaded == [FREED, ASYNC]
