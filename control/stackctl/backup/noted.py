"""What was known of all backups when they last changed, in a file: metrics go by it where nobody else can look."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from stackctl.backup.catalog import write_whole
from stackctl.backup.model import Backup, backup_of
from stackctl.errors import EngineFailed, unwritable

_FILE = "backups.json"


def note_backups(folder: Path, backups: Iterable[Backup]) -> None:
    """Write them down. Raises ProfileError or EngineFailed where that cannot be."""
    content = json.dumps([backup.as_data() for backup in backups], indent=1)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(folder / _FILE, f"{content}\n".encode())
    except OSError as error:
        raise unwritable(folder, error) from error


def noted_backups(folder: Path) -> list[Backup]:
    """What was written down. Raises EngineFailed where nothing was, or where that cannot be read."""
    file = folder / _FILE
    try:
        return [backup_of(each) for each in json.loads(file.read_bytes())]
    except FileNotFoundError as error:
        raise EngineFailed(f"{file}: nobody wrote down what the repository holds", hint="stackctl backup") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineFailed(f"{file}: {error}", hint="stackctl backup writes it anew") from error
