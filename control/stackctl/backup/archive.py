"""Archived WAL: files whose names say what their bytes must be."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from stackctl.backup import archived_list
from stackctl.backup.archived_list import LIST, Listed
from stackctl.backup.plain_file import NotPlain, content, is_verdict, opened
from stackctl.backup.posix_sum import PosixSum
from stackctl.backup.wal_name import Branch, Segment, history_of, is_wal_file, parse_history, parse_segment

_NAME = re.compile(r"(?P<name>[0-9A-F]{8,24}(?:\.[0-9A-Za-z.]+)?)-(?P<sum>\d+)-(?P<size>\d+)")
# What the archive command is just writing, or was killed at.
_DRAFT = re.compile(r"\.(?P<name>[0-9A-F]{8,24}(?:\.[0-9A-Za-z.]+)?)\.\d+")
_PIECE = 2**20
# A history has a line for each restore; the list has 50 bytes for each segment of 16 MB.
_MOST_HISTORY, _MOST_LISTED = 2**20, 2**30


@dataclass(frozen=True)
class Archived:
    """One archived file: the server's name for it, and what `cksum` said of it."""

    name: str
    checksum: int
    size: int
    path: Path


class Archive:
    """The WAL of one cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        """Its folder."""
        return str(self.folder)

    def usage(self) -> tuple[int, int]:
        """How many files there are, and the bytes that they take on the disk."""
        files = self.files()
        return len(files), sum(file.path.stat().st_blocks * 512 for file in files)

    def files(self) -> list[Archived]:
        """All archived files by name; a missing folder has none."""
        return sorted(self._files(), key=lambda file: file.name)

    def strangers(self) -> list[str]:
        """Names in the folder that the archive command did not give; what it is just writing is none of them."""
        # One listing: between two of them a file may be archived.
        others = (path.name for path in self._in() if _archived(path) is None and path.name != LIST)
        return sorted(name for name in others if not _DRAFT.fullmatch(name))

    def listed(self) -> Listed:
        """What was archived, by the archive's own list; nothing where that is missing or no list. Raises OSError."""
        try:
            return archived_list.read(content(self.folder / LIST, _MOST_LISTED))
        except FileNotFoundError:
            return Listed()
        except NotPlain as error:
            return Listed(wrong=str(error.strerror))

    def lost(self) -> list[str]:
        """Names of files, as the server knows them, that are listed and not there."""
        gone = [name for name in self.listed().names if not (self.folder / name).exists()]
        # A file is listed first, and has a draft until it has its name.
        busy = {match["name"] for name in self._there() if (match := _DRAFT.fullmatch(name))} if gone else set()
        there = [name for name in gone if (self.folder / name).exists()]
        return sorted(name.split("-")[0] for name in set(gone) - set(there) if name.split("-")[0] not in busy)

    def unlisted(self) -> list[str]:
        """Names in the folder of files that were archived, and are not in the list."""
        there = {file.path.name for file in self._files()}
        # Read afterwards, as what is archived meanwhile is listed first.
        listed = self.listed()
        return [] if listed.wrong else sorted(there - listed.names - listed.expired)

    def remove(self, files: Iterable[Archived]) -> None:
        """Remove files that no backup needs, once the list says that they may be gone.

        Raises OSError, also where the folder or the list is a link: they are the account's, and this may run as root.
        """
        gone = list(files)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with _named(self.folder / LIST):
                _note_expiry(folder, [each.name for each in gone])
            for each in gone:
                os.unlink(each.path.name, dir_fd=folder)
        finally:
            os.close(folder)

    def _there(self) -> set[str]:
        return {path.name for path in self._in()}

    def _in(self) -> Iterable[Path]:
        return self.folder.iterdir() if self.folder.is_dir() else ()

    def segments(self) -> frozenset[Segment]:
        """The segments that are there."""
        return frozenset(segment for file in self._files() if (segment := parse_segment(file.name)))

    def histories(self) -> dict[int, tuple[Branch, ...]]:
        """Branches by timeline. Raises ValueError where a history file is damaged."""
        found = {}
        for file in self._files():
            if (timeline := history_of(file.name)) is not None:
                found[timeline] = history_in(file.path)
        return found

    def _files(self) -> Iterator[Archived]:
        return (file for path in self._in() if (file := _archived(path)))


def _archived(path: Path) -> Archived | None:
    match = _NAME.fullmatch(path.name)
    if not match or not is_wal_file(match["name"]):
        return None
    return Archived(match["name"], int(match["sum"]), int(match["size"]), path)


def history_in(path: Path) -> tuple[Branch, ...]:
    """The branches in a history file. Raises ValueError where it is none, also where it is no ordinary file."""
    try:
        return parse_history(content(path, _MOST_HISTORY).decode(errors="replace"))
    except NotPlain as error:
        raise ValueError(f"{path.name} {error.strerror}") from error


def _note_expiry(folder: int, names: Sequence[str]) -> None:
    """Write a line to the list where there is one; to make it is the account's."""
    try:
        file = os.open(LIST, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return
    with FileIO(file, "r+") as listing:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_LISTED:
            raise OSError(errno.EINVAL, "no ordinary file", LIST)
        # What is archived meanwhile is written behind it, and stays behind it.
        _append(listing, archived_list.expiry(names, listing.read(found.st_size)))
        os.fsync(file)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file of an error: what has it open is told of none by the kernel."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _append(listing: FileIO, line: bytes) -> None:
    """Write all of it, or nothing: on a full disk the kernel takes a part, and says so only of the next."""
    done = 0
    try:
        while done < len(line):
            done += listing.write(line[done:])
    except OSError:
        # What is behind the part by now is the archive command's.
        if done and os.fstat(listing.fileno()).st_size == listing.tell():
            listing.truncate(listing.tell() - done)
        raise


def damage(file: Archived) -> str:
    """What is wrong with an archived file, empty where nothing is. Raises OSError where nobody can say."""
    try:
        found = file.path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return "is no ordinary file"
        if found.st_size != file.size:
            return f"has {found.st_size} bytes, not {file.size}"
        return "" if cksum(file.path) == file.checksum else "its bytes are not those that were archived"
    except OSError as error:
        if not is_verdict(error):
            raise
        return f"cannot be read: {error.strerror}"


def cksum(path: Path) -> int:
    """The checksum that POSIX `cksum` prints of a file."""
    found = PosixSum()
    with opened(path) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.value
