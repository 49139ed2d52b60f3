"""Files that the database's account may put anything in the place of, read by who may be root."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

# What opening without following gives for a link, and for a socket.
NO_FILE = (errno.ELOOP, errno.ENXIO)


class NotPlain(OSError):
    """There is no ordinary file of a possible size: a link or a pipe, or more than anybody would have written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


def is_verdict(error: OSError) -> bool:
    """Whether an error of reading says what is there: nothing, or no ordinary file.

    Any other, as of a disk, a mount, a mode or too many open files, says nothing of the bytes: they may be right.
    """
    return isinstance(error, (NotPlain, FileNotFoundError, NotADirectoryError, IsADirectoryError))


def opened(path: Path) -> BufferedReader:
    """The file itself, open to be read; a link is not followed, and a pipe not waited for. Raises OSError, NotPlain."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in NO_FILE:
            raise NotPlain(path, "is no ordinary file") from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise NotPlain(path, "is no ordinary file")
    return os.fdopen(number, "rb")


def content(path: Path, most: int) -> bytes:
    """All of a file of at most `most` bytes. Raises OSError, NotPlain also where there is more."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise NotPlain(path, f"has {size} bytes, more than any that was written as this")
        # What grows meanwhile is not followed.
        return file.read(size)
