"""A project whose stack is down, with a repository of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from stackctl.errors import Unhealthy
from stackctl.operations import backup
from stackctl.operations.result import Request
from stackctl.operations.state import State, save


class Stopped:
    """Its engine, with the backups in `folder`; there is no data, and no server that would answer."""

    name = "embedded"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def repository(self) -> Path:
        return self.folder

    def running(self) -> bool:
        return False

    def places(self) -> Any:
        return SimpleNamespace(there=lambda _number: False)

    def query(self, _sql: str) -> NoReturn:
        raise Unhealthy("no answer", hint="")


def stopped(folder: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """A request for the project in `folder`."""
    (folder / ".stackctl").mkdir()
    save(folder / ".stackctl", replace(State("shop", "embedded", "asked for", "", {}), folder=str(folder)))
    monkeypatch.setattr(backup, "recorded_engine", lambda _opened, _runner: Stopped(repository))
    return Request(str(folder), environ={})
