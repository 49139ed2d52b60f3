"""What a project remembers between runs: its engine, its image source, its PostgreSQL version."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from stackctl.errors import ProfileError, unwritable


@dataclass(frozen=True)
class State:
    """Decided by `up`. `images` is empty on the embedded engine.

    `versions` is the PostgreSQL major version of each engine's data. `flags` and `sets` are those of the last `up`: a
    command that is given none means the same stack.
    """

    name: str
    engine: str
    reason: str
    images: str
    versions: Mapping[str, int]
    flags: Mapping[str, str | None] = field(default_factory=dict)
    sets: Sequence[str] = ()


def load(private: Path) -> State | None:
    """The state below `.stackctl`, None before the first `up`. Raises ProfileError where it cannot be read."""
    path = private / "state.json"
    try:
        return State(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ProfileError(
            f"{path}: cannot be read: {error}", hint="restore it from a copy; it says where the data is"
        ) from error


def save(private: Path, state: State) -> None:
    """Write the state in one step."""
    path = private / "state.json"
    staged = path.with_suffix(".new")
    try:
        with staged.open("w") as stream:
            stream.write(json.dumps(asdict(state), indent=1) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
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
    if left:
        engine = next(iter(left))
        save(private, replace(state, engine=engine, reason=f"the {state.engine} data was destroyed", versions=left))
    else:
        (private / "state.json").unlink(missing_ok=True)
