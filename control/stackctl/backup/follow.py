"""Read a copy while it grows: what pg_basebackup has written is read again at once, and needs no second reading."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google_crc32c import extend

from stackctl.backup.checksums import Told, files_below
from stackctl.engine.beside import beside

_PIECE = 2**20
_THREADS = 4
# A look around takes at most a fifth of the time.
_REST = 4.0
_SHORTEST_REST = 0.2


@dataclass
class _Read:
    """How far one file was read, and the checksums of that part."""

    size: int = 0
    crc: int = 0
    sha: Any = field(default_factory=hashlib.sha256)


class Follower:
    """The files below `folder`, read as far as they are there. One thread reads a file at a time."""

    def __init__(self, folder: Path, told: Told = lambda _bytes: None) -> None:
        self._folder = folder
        self._told = told
        self._read: dict[str, _Read] = {}

    def follow(self, over: threading.Event) -> None:
        """Read what is new, again and again, until `over`. What cannot be read yet is read in the end."""
        while not over.is_set():
            began = time.monotonic()
            # Files come and go while a backup is taken.
            with suppress(OSError):
                for path in files_below(self._folder):
                    # WAL is written over zeros, and is in no manifest.
                    if not path.startswith("pg_wal/"):
                        self._go_on(path, over)
            over.wait(max(_SHORTEST_REST, _REST * (time.monotonic() - began)))

    def finish(self, manifest: bytes) -> tuple[dict[str, str], list[str]]:
        """Read the rest. Gives back SHA-256 by path of all that `manifest` lists, and what is not as it says.

        Raises OSError, and ValueError for a manifest that is none.
        """
        listed = _listed(manifest)
        with ThreadPoolExecutor(_THREADS) as threads:
            right = dict(zip(listed, threads.map(self._check, listed.items()), strict=True))
        wrong = [path for path in listed if not right[path]]
        return {path: self._read[path].sha.hexdigest() for path in listed if path not in wrong}, wrong

    def _check(self, entry: tuple[str, tuple[int, str]]) -> bool:
        """Whether a file is as the manifest says; one that was changed behind us is read once more."""
        path, wanted = entry
        for _ in range(2):
            try:
                read = self._to_the_end(path)
            except FileNotFoundError:
                return False
            if (read.size, read.crc.to_bytes(4, "little").hex()) == wanted:
                return True
            self._read.pop(path, None)
        return False

    def _go_on(self, path: str, over: threading.Event) -> None:
        with suppress(FileNotFoundError, PermissionError):
            self._to_the_end(path, over.is_set)

    def _to_the_end(self, path: str, stop: Callable[[], bool] = lambda: False) -> _Read:
        read = self._read.setdefault(path, _Read())
        if (self._folder / path).lstat().st_size == read.size:
            return read
        with open(self._folder / path, "rb", buffering=0, opener=_without_links) as file:
            file.seek(read.size)
            while not stop() and (piece := file.read(_PIECE)):
                read.sha.update(piece)
                read.crc = extend(read.crc, piece)
                # Begins to write it to the disk, so that it does not come as one burst that commits have to wait for;
                # and lets go of it, so that the copy does not take the place of the database's files in memory.
                os.posix_fadvise(file.fileno(), read.size, len(piece), os.POSIX_FADV_DONTNEED)
                read.size += len(piece)
                self._told(len(piece))
        return read


@contextmanager
def following(folder: Path, told: Told = lambda _bytes: None) -> Iterator[Follower]:
    """A follower for as long as the context lasts."""
    follower = Follower(folder, told)
    with beside(follower.follow):
        yield follower


def _listed(manifest: bytes) -> Mapping[str, tuple[int, str]]:
    """Size and checksum by path, as pg_basebackup writes them with --manifest-checksums=CRC32C."""
    try:
        files = json.loads(manifest)["Files"]
        return {_path(entry): (int(entry["Size"]), str(entry["Checksum"])) for entry in files}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _path(entry: Mapping[str, Any]) -> str:
    """A name that is no UTF-8 is written in hex digits. Raises ValueError for one that leads out of the backup."""
    found = str(entry["Path"]) if "Path" in entry else os.fsdecode(bytes.fromhex(entry["Encoded-Path"]))
    if found.startswith("/") or ".." in found.split("/"):
        raise ValueError(f"the manifest lists {found!r}, which is not in the backup")
    return found


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
