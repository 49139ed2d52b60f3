"""The copies of Python and its libraries that stacks share: root's, and there as long as a stack uses them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackctl.engine.embedded.home import SYSTEM, make_open

_FOLDER = ".programs"
_USES = ".programs"
_LOCK = "lock"
# What runs is of the present copy or, until an `up` to a new version ends or goes back, of the one before.
_KEPT = 2


def copy_named(stamp: str) -> Path:
    """Where the copy with this stamp is, or will be."""
    return SYSTEM / _FOLDER / stamp


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock under which copies are made and removed; whoever needs the same one waits for it."""
    make_open(SYSTEM)
    make_open(SYSTEM / _FOLDER)
    number = os.open(SYSTEM / _FOLDER / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def used_by(name: str) -> list[str]:
    """The stamps of the copies that the stack `name` uses, the newest first."""
    return _noted(_uses(name))


def note_use(name: str, stamp: str) -> None:
    """Note that the stack `name` uses a copy from now on."""
    path = _uses(name)
    before = [each for each in used_by(name) if each != stamp]
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{each}\n" for each in [stamp, *before][:_KEPT]))
    new.replace(path)


def forget(name: str) -> None:
    """Note that the stack `name` is no more, and remove what only that one used."""
    if (SYSTEM / _FOLDER).is_dir():
        with alone():
            _uses(name).unlink(missing_ok=True)
            remove_unused()


def remove_unused() -> None:
    """Remove the copies that no stack uses. Only while `alone`."""
    used = {stamp for path in SYSTEM.glob(f"*{_USES}") if path.is_file() for stamp in _noted(path)}
    for path in (SYSTEM / _FOLDER).iterdir():
        if path.is_dir() and path.name not in used:
            shutil.rmtree(path)


def _uses(name: str) -> Path:
    """Beside the home, and root's own."""
    return SYSTEM / f"{name}{_USES}"


def _noted(path: Path) -> list[str]:
    return path.read_text().split() if path.is_file() else []
