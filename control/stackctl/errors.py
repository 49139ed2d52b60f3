"""The tree of errors: each says what happened, where, one hint, and its exit code."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: a stable code for scripts, a sentence, and what to do about it."""

    code: str
    message: str
    hint: str


class StackError(Exception):
    """Something the user can act on. Carries every problem found, the first one being the headline."""

    exit_code = 1
    code = "defect"

    def __init__(self, message: str, *, hint: str, code: str | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (Problem(code or self.code, message, hint),)
        if exit_code is not None:
            self.exit_code = exit_code

    @property
    def hint(self) -> str:
        """What to do about the first problem."""
        return self.problems[0].hint


class UsageError(StackError):
    """Options that contradict one another."""

    exit_code = 2
    code = "usage"


class ProfileError(StackError):
    """A profile, a setting or a project directory that cannot be used."""

    exit_code = 10
    code = "profile"

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ProfileError:
        """One error that carries all `problems`; there must be at least one."""
        first = problems[0]
        error = cls(first.message, hint=first.hint, code=first.code)
        error.problems = tuple(problems)
        return error


class EditedByHand(StackError):
    """A rendered file no longer has the bytes that were written."""

    exit_code = 11
    code = "edited"


class EngineFailed(StackError):
    """A command of the engine failed, a port is taken, or a disk is full."""

    exit_code = 20
    code = "engine"


class NoEngine(StackError):
    """No engine can run here."""

    exit_code = 21
    code = "no_engine"


class ImageUnavailable(StackError):
    """An image, or a PostgreSQL version, cannot be had here."""

    exit_code = 22
    code = "image"


class Unhealthy(StackError):
    """The stack runs and is not healthy, or a host check failed."""

    exit_code = 30
    code = "unhealthy"


class TimedOut(StackError):
    """Something did not happen within its time."""

    exit_code = 31
    code = "timeout"


class BackupFailed(StackError):
    """A backup could not be taken."""

    exit_code = 40
    code = "backup"


class NothingToBuildOn(BackupFailed):
    """An incremental backup cannot be taken where a full one can."""

    code = "nothing_to_build_on"


class Damaged(StackError):
    """A backup, or the WAL, is not as it was written."""

    exit_code = 41
    code = "damaged"


class DamagedCopy(Damaged):
    """The server on a copy says that this is broken: what it was made of is of no use, whatever its bytes say."""

    code = "damaged_copy"


class RestoreRefused(StackError):
    """A restore that cannot be what was meant."""

    exit_code = 42
    code = "restore"


class WalGap(StackError):
    """WAL that recovery needs is missing."""

    exit_code = 43
    code = "wal_gap"


class Locked(StackError):
    """Another run holds the project's lock."""

    exit_code = 44
    code = "locked"


def unwritable(folder: PurePath, error: OSError) -> ProfileError | EngineFailed:
    """The error for a folder that cannot be written."""
    if error.errno == errno.ENOSPC:
        return EngineFailed(f"{folder}: the disk is full, nothing was changed", hint="free some space and run it again")
    return ProfileError(
        f"{folder}: cannot be written: {error.strerror or error}",
        hint="use a folder that you may write to, or --project",
    )


_MOUNT, _MODE = (
    "it is away: see mount, and mount it again",
    "see the owner and the mode of each folder above it, and lsattr",
)
# What running it again does not mend.
_DISK = {
    errno.EROFS: "a disk that failed is made read-only: see dmesg and mount, then mount it to be written to",
    errno.EIO: "the disk fails: see dmesg; what is on it may be damaged",
    errno.ESTALE: _MOUNT,
    errno.ENOTCONN: _MOUNT,
    errno.EACCES: _MODE,
    errno.EPERM: _MODE,
}


def failed_disk(error: OSError, place: PurePath | None = None) -> EngineFailed | None:
    """The error for a disk that fails or lets nobody write, None where it is another fault.

    `place` is on that disk; it is named where `error` names no path of its own.
    """
    own = PurePath(error.filename) if isinstance(error.filename, str) else None
    where = own if own and own.is_absolute() else place
    hint = _DISK.get(error.errno or 0)
    return EngineFailed(f"{where}: {error.strerror}", hint=hint) if hint and where else None
