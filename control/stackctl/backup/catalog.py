"""Records of backups as files: each proves by itself that its bytes are those that were written."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from stackctl.backup.model import Backup, backup_of
from stackctl.durable import sync

RECORD = "backup.json"
# What proves itself, and what a run that was killed left of writing it again.
PROVEN = frozenset({RECORD, f".{RECORD}.new"})
_SELF = "sha256"


class DamagedRecord(Exception):
    """A record that is not as it was written."""


def encode(backup: Backup) -> bytes:
    """The record, with its own checksum as its last key."""
    data = backup.as_data()
    return _text({**data, _SELF: _digest(data)})


def decode(content: bytes) -> Backup:
    """The backup of a record. Raises DamagedRecord where one byte is not as it was written."""
    try:
        found = json.loads(content)
        stated = found.pop(_SELF)
        backup = backup_of(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRecord(f"{type(error).__name__}: {error}") from error
    if stated != _digest(found) or encode(backup) != content:
        raise DamagedRecord("its checksum does not fit")
    return backup


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place, whole and durable, or leave what was there. Raises OSError."""
    draft = path.with_name(f".{path.name}.new")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            # What writes to an open file is told of no path by the kernel.
            error.filename = str(path)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what a folder lists durable. Raises OSError."""
    sync(folder, os.O_DIRECTORY)


def _text(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=True) + "\n").encode()


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(_text(data)).hexdigest()
