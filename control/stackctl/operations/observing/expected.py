"""What was rendered, as the observer is told of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import ProfileError
from stackctl.render.observer import FILE, SERVICE


@dataclass(frozen=True)
class Proof:
    """The memory proof: the worst case that it found, and what it was proved against, in bytes."""

    limit: int
    worst_case: int
    passed: bool


@dataclass(frozen=True)
class Expected:
    """The version, parameters and roles that `up` rendered, and how many connections the app's pools may open."""

    version: str
    postgres: int
    wal: str
    parameters: Mapping[str, str]
    roles: Mapping[str, Mapping[str, str]]
    memory: Proof
    pool_limit: int


def read_expected(rendered: Path) -> Expected | None:
    """What `up` rendered below `rendered`; None for a stack without an observer. Raises ProfileError."""
    path = rendered / SERVICE / FILE
    try:
        told = json.loads(path.read_text())
        return Expected(**{**told, "memory": Proof(**told["memory"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ProfileError(f"{path}: {error}", hint="stackctl up renders it again") from error
