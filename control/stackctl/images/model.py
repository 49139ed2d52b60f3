"""What an image is, and the runner that this package is handed to build one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

# "own" is the image of the user's own app.
Source = Literal["public", "debian", "own"]


@dataclass(frozen=True)
class Recipe:
    """How an image is built: a Dockerfile, the folder it copies from, and the image it starts from.

    `others` are further folders that it copies from, each with the name that the Dockerfile has for it.
    """

    dockerfile: Path
    context: Path
    base: str
    others: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True)
class Image:
    """The image of one service; `build` is None where a registry has it."""

    service: str
    reference: str
    source: Source
    build: Recipe | None = None


@dataclass(frozen=True)
class Absent:
    """A service for which a source has no image, and why."""

    service: str
    reason: str


@dataclass(frozen=True)
class Secrets:
    """Host files lent to a build step and kept out of every layer; None where the host has none."""

    ca: Path | None = None
    pipconf: Path | None = None


class Completed(Protocol):
    """What a finished command left behind."""

    @property
    def returncode(self) -> int:
        """The exit status."""

    @property
    def stdout(self) -> str:
        """The standard output, decoded."""

    @property
    def stderr(self) -> str:
        """The standard error, decoded."""


class Runner(Protocol):
    """Runs one command. The engine owns the only implementation."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input: str | None = None,
        timeout: float | None = None,
        check: bool = True,
        quiet: bool = False,
    ) -> Completed:
        """The finished command, echoed unless `quiet`; with `check`, raises a StackError on failure."""
