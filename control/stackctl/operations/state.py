"""What a project remembers between runs: its engine, its image source, its PostgreSQL version, its ports."""

from __future__ import annotations

import json
import os
import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from stackctl.backup.catalog import write_whole
from stackctl.backup.generation import Generations, generations_of
from stackctl.errors import ProfileError, unwritable
from stackctl.settings.app_section import REFERENCE_APP, AppSection, from_record
from stackctl.settings.model import Ports

_Value = TypeVar("_Value")
# An earlier version ran no pooler: what holds that port now is not this stack.
_STANDARD_PORTS = {name: port for name, port in asdict(Ports()).items() if name != "pgbouncer"}


@dataclass(frozen=True)
class State:
    """Decided by `up`. `images` stays through a time on the embedded engine, which has none.

    `versions` is the PostgreSQL major version of each engine's data. `flags` and `sets` are those of the last `up`: a
    command that is given none means the same stack. `folder` tells a copy of the project from the project, and
    `ports` and `app` are those that the running stack has, whatever stackctl.yaml says by now. `data` says which of its
    data directories each engine runs on.
    """

    name: str
    engine: str
    reason: str
    images: str
    versions: Mapping[str, int]
    flags: Mapping[str, str | None] = field(default_factory=dict)
    sets: Sequence[str] = ()
    folder: str = ""
    ports: Mapping[str, int] = field(default_factory=lambda: dict(_STANDARD_PORTS))
    app: AppSection = REFERENCE_APP
    data: Mapping[str, Generations] = field(default_factory=dict)

    @property
    def generations(self) -> Generations:
        """Which data the engine's stack runs on."""
        return self.data.get(self.engine, Generations())

    def on(self, generations: Generations) -> State:
        """The state with other data of its engine."""
        return replace(self, data={**self.data, self.engine: generations})


def load(private: Path) -> State | None:
    """The state below `.stackctl`, None before the first `up`. Raises ProfileError where it cannot be read.

    What another version of stackctl wrote is read as far as it goes, so that its stack can still be stopped.
    """
    path = private / "state.json"
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("it holds no JSON object")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise ProfileError(
            f"{path}: cannot be read: {error}", hint="restore it from a copy; it says where the data is"
        ) from error
    return _state(private, found)


def _state(private: Path, found: Mapping[str, Any]) -> State:
    """The state in a JSON object: unknown keys are left out, missing and unusable ones get their default."""

    def text(key: str, default: str) -> str:
        value = found.get(key)
        return value if isinstance(value, str) and value else default

    sets = found.get("sets")
    return State(
        name=text("name", default_name(private.parent)),
        engine=text("engine", _rendered_engine(private)),
        reason=text("reason", "recorded"),
        images=text("images", ""),
        versions=_pairs(found.get("versions"), int),
        flags=_pairs(found.get("flags"), str),
        sets=[each for each in sets if isinstance(each, str)] if isinstance(sets, list) else (),
        folder=text("folder", ""),
        ports={**_STANDARD_PORTS, **_pairs(found.get("ports"), int)},
        app=from_record(found.get("app")),
        data=generations_of(found.get("data")),
    )


def _rendered_engine(private: Path) -> str:
    return "embedded" if (private / "rendered" / "supervisord.conf").exists() else "docker"


def _pairs(found: object, kind: type[_Value]) -> dict[str, _Value]:
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(key): value for key, value in pairs if isinstance(value, kind)}


def default_name(folder: Path) -> str:
    """The folder's name in the letters Compose allows, and six hex digits of its path's CRC-32."""
    plain = unicodedata.normalize("NFKD", folder.name).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_") or "stack"
    return f"{word[:40]}-{zlib.crc32(os.fsencode(folder)) & 0xFFFFFF:06x}"


def save(private: Path, state: State) -> None:
    """Write the state in one step, durable at its end: what it no longer names may be removed after it."""
    path = private / "state.json"
    try:
        write_whole(path, (json.dumps(asdict(state), indent=1) + "\n").encode())
    except OSError as error:
        raise unwritable(path, error) from error


def make_private(private: Path) -> None:
    """Make `.stackctl`, mode 0700. Raises ProfileError where the project folder cannot be written."""
    try:
        private.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.chmod(0o700)
        probe = private / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise unwritable(private, error) from error


def forget(private: Path, state: State) -> None:
    """Drop the engine whose data is gone; another engine's data, where there is some, is then the project's."""
    left = {engine: version for engine, version in state.versions.items() if engine != state.engine}
    state = replace(state, data={engine: each for engine, each in state.data.items() if engine != state.engine})
    if left:
        engine = next(iter(left))
        save(private, replace(state, engine=engine, reason=f"the {state.engine} data was destroyed", versions=left))
    else:
        (private / "state.json").unlink(missing_ok=True)
