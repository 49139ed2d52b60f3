"""A repository for one test, beside the one that a stack archives to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running_stack import Stack


@contextmanager
def configured(stack: Stack, **settings: Any) -> Iterator[None]:
    """The section `backup` of the project file, for as long as it lasts."""
    stack.write(backup=settings)
    try:
        yield
    finally:
        stack.write()


@contextmanager
def own_repository(stack: Stack) -> Iterator[Path]:
    """A new repository, where the database's account can go."""
    folder = Path(tempfile.mkdtemp(prefix="own-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        with configured(stack, repository=str(folder / "repository")):
            yield folder / "repository"
    finally:
        shutil.rmtree(folder)


def listed(stack: Stack) -> list[str]:
    """The ids of all backups, oldest first."""
    return [backup["id"] for backup in stack.run("backup", "list", "--json").data["backups"]]
