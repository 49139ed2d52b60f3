"""Names an image after what went into it: a changed file is a new tag, an unchanged one is never rebuilt."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

DIGITS = 12
# Left behind by running the app or an editor, and what a wheel packs beside the program; docker would copy them, but
# they do not change what runs.
_IGNORED = frozenset({"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".keep", "_assets"})


def files(folder: Path) -> Iterator[Path]:
    """The files below `folder` that count, sorted by their path inside it."""
    for path in sorted(folder.rglob("*"), key=lambda found: found.relative_to(folder).as_posix()):
        if path.is_file() and not _IGNORED.intersection(path.relative_to(folder).parts):
            yield path


def entries(dockerfile: Path, context: Path) -> Iterator[tuple[str, bool, bytes]]:
    """Name, executable or not, and bytes of the Dockerfile and of everything it can copy."""
    yield "Dockerfile", False, dockerfile.read_bytes()
    for path in files(context):
        if path != dockerfile:
            name = "context/" + path.relative_to(context).as_posix()
            yield name, bool(path.stat().st_mode & 0o100), path.read_bytes()


def digest(parts: Iterable[tuple[str, bool, bytes]], base: str) -> str:
    """The first 12 hex digits of a sha256 over the parts and the base image's name.

    Lengths go in front of names and bytes, so that moving a byte from one file to the next is a change.
    """
    total = hashlib.sha256(f"{len(base)}:{base}".encode())
    for name, executable, body in parts:
        total.update(f"{len(name)}:{name}:{int(executable)}:{len(body)}:".encode())
        total.update(body)
    return total.hexdigest()[:DIGITS]


def named_entries(name: str, folder: Path) -> Iterator[tuple[str, bool, bytes]]:
    """The same of a further folder that the Dockerfile calls `name`."""
    for path in files(folder):
        yield f"{name}/{path.relative_to(folder).as_posix()}", bool(path.stat().st_mode & 0o100), path.read_bytes()


def context_hash(dockerfile: Path, context: Path, base: str, others: Iterable[tuple[str, Path]] = ()) -> str:
    """The digest of one build, read from the disk."""
    more = (entry for name, folder in others for entry in named_entries(name, folder))
    return digest(itertools.chain(entries(dockerfile, context), more), base)
