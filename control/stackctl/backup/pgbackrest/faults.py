"""pgBackRest's words in ours: what happened, which key of the project file it is about, and one hint. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.backup.plain_file import NO_FILE, is_verdict
from stackctl.backup.protocol import AWAY
from stackctl.errors import Damaged, EngineFailed, Locked, StackError
from stackctl.render.pgbackrest import FOLDER

# Its error, with the lines that belong to it, and not what it logs behind it.
_ERROR = re.compile(
    r"(?:ERROR|ASSERT): \[(?P<number>\d+)\]: (?P<said>.*?)(?=^\d{4}-\d\d-\d\d [\d:.]+ P\d|\Z)", re.DOTALL | re.MULTILINE
)
# Where it tells one error within another, it does so by name.
_NAME = re.compile(r"\[?\b(?P<name>[A-Z][A-Za-z]+)Error(?:\]|:)")
_NAMES = {
    "Checksum": 26,
    "FileInvalid": 28,
    "Format": 29,
    "Protocol": 39,
    "FileOpen": 41,
    "FileRead": 42,
    "HostConnect": 49,
    "PathOpen": 53,
    "FileMissing": 55,
    "DbConnect": 56,
    "Crypto": 95,
    "JsonFormat": 99,
    "Service": 101,
}
_HOST_CONNECT, _LOCKED, _SERVICE, _NO_REPOSITORY = 49, 50, 101, 103
_DATABASE = (56, 57)
# What is there is not what was written: checksums, formats, decryption, and files that must be there.
_MISSING = 55
_DAMAGE = frozenset({26, 28, 29, _MISSING, 95, 99})
# The store does not answer, or not as a store does.
_OUTAGE = (_HOST_CONNECT, _SERVICE)
# A file or a folder could not be opened or read, for the system's reason, which it says at the end.
_READING = (41, 42, 53)
_REASON = re.compile(r": \[(?P<errno>\d+)\] (?P<words>[^\[\]]*)\Z")
# Its own errors end it with their numbers. Another one is of what started it, or of a signal that ended it.
_OWN = range(25, 126)
_TERMINATED = 63
_PAGES = re.compile(r"invalid page checksums? found in file (?P<file>\S+) at (?P<pages>pages? .*)")
# A file of the repository, wherever that is; others are the database's.
_OURS = re.compile(r"'[^']*/(archive|backup)/[^/']+/[^']*'")


@dataclass(frozen=True)
class _Known:
    """A fault that is known by what was said of it, and by its number where it has one of `numbers`."""

    said: re.Pattern[str]
    key: str
    what: str
    hint: str
    numbers: frozenset[int] = frozenset()

    def fits(self, number: int | None, said: str) -> bool:
        return (not self.numbers or number is None or number in self.numbers) and bool(self.said.search(said))


def _known(said: str, key: str, what: str, hint: str, *numbers: int) -> _Known:
    return _Known(re.compile(said), key, what, hint, frozenset(numbers))


# The first that fits; {where} is the repository.
_KNOWN: Sequence[_Known] = (
    _known("NoSuchBucket|ContainerNotFound", "repository", "{where}: there is no such bucket", "make it first"),
    _known("InvalidAccessKeyId", "key_file", "{where}: the store does not know the key", "put the key into that file"),
    _known(
        "SignatureDoesNotMatch",
        "secret_file",
        "{where}: the secret does not fit the key",
        "put the secret of the key into that file; stackctl up brings it in",
    ),
    _known(
        "403 \\(Forbidden\\)",
        "key_file",
        "{where}: the store refuses the key",
        "see that file, and what the key may do",
    ),
    _known(
        "unable to verify certificate|self.signed certificate",
        "ca_file",
        "{where}: the certificate of the store is not trusted",
        "name the file of the authority that signed it",
    ),
    _known(
        "unable to find hostname", "endpoint", "{where}: its certificate is for another host", "name the host in it"
    ),
    _known(
        "HostConnectError|unable to connect|unable to get address|timeout connecting|waiting for read from",
        "endpoint",
        "{where}: the store cannot be reached",
        "see whether it runs, and whether this machine may reach it",
    ),
    # Its lists are all that the passphrase itself opens. Of one that is damaged further on, the first lines are right.
    _known(
        r"at line 1:|unable to flush|cipher header",
        "encryption",
        "{where}: it is encrypted otherwise, or all its lists are damaged",
        "bring back the secret repository_passphrase it was made with; to change encryption, name a new repository",
        29,
        95,
    ),
    _known(
        rf"unable to \w[\w ]* '{FOLDER}.*Permission denied",
        "repository",
        "{where}: cannot be read or written",
        "see its owner and mode",
    ),
    _known(
        rf"unable to \w[\w ]* '{FOLDER}.*No space left", "repository", "{where}: its disk is full", "free some space"
    ),
)


def number(said: str) -> int | None:
    """The number of the error that it ended with; that of the first within it, where it only says that there is one."""
    match = _ERROR.search(said)
    outer = int(match["number"]) if match else None
    if outer not in (None, _NO_REPOSITORY):
        return outer
    names = [_NAMES[each] for each in _NAME.findall(match["said"] if match else said) if each in _NAMES]
    return names[0] if names else outer


def explained(said: str, where: str, *, opened: bool = False) -> StackError:
    """The error for what pgBackRest said; where it is not known, its own last words.

    `opened` says that the passphrase is known to fit.
    """
    match = _ERROR.search(said)
    code, words = number(said), match["said"] if match else said
    if code == _LOCKED or "unable to acquire lock" in words:
        return Locked(f"another run of pgbackrest is at work in {where}", hint="wait for it to end")
    if code in _DATABASE:
        return EngineFailed(f"the database does not answer pgbackrest: {first_words(said)}", hint="stackctl status")
    for known in _KNOWN:
        if known.fits(code, words) and not (opened and known.key == "encryption"):
            return EngineFailed(f"backup.{known.key}: {known.what.format(where=where)}", hint=known.hint, code=AWAY)
    if code in _DAMAGE and (code != _MISSING or _OURS.search(words)):
        return Damaged(f"{where} is damaged: {first_words(said)}", hint="stackctl backup verify names what is")
    hint = "--verbose shows the command; run it by hand"
    return EngineFailed(f"pgbackrest: {first_words(said)}", hint=hint, code=AWAY)


def outage(number: int, said: str, where: str) -> StackError | None:
    """The error for what kept one file from being read, where that says nothing of the file."""
    error = explained(f"ERROR: [{number}]: {said}", where, opened=True)
    away = error.problems[0].code == AWAY
    return error if away and (number in _OUTAGE or str(error).startswith("backup.")) else None


def unread_error(number: int, said: str) -> OSError | None:
    """The system's error for what kept one file from being read, where that says nothing of its bytes."""
    match = _REASON.search(said.strip()) if number in _READING else None
    if match is None:
        return None
    error = OSError(int(match["errno"]), match["words"])
    return None if is_verdict(error) or error.errno in NO_FILE else error


def cut_short(code: int, said: str) -> EngineFailed | None:
    """The error for a run that ended with `code` before it knew anything: it was ended, or could not be started."""
    own = code in _OWN and number(said) not in (None, _TERMINATED)
    if code == 0 or (own and "terminated unexpectedly" not in said):
        return None
    last = said.strip().splitlines()[-1:]
    told = f": {first_words(said) if _ERROR.search(said) else last[0].strip()}" if last else ""
    hint = "see dmesg for what ended it, such as a lack of memory, and run it again"
    return EngineFailed(f"pgbackrest ended with {code} before its end{told}", hint=hint, code=AWAY)


def first_words(said: str) -> str:
    """The first sentence of its error."""
    match = _ERROR.search(said)
    lines = [line.strip() for line in (match["said"] if match else said).splitlines() if line.strip()]
    return lines[0] if lines else "it ended without a word"


def damaged_pages(said: str) -> str:
    """The files and pages that the copying found, in its words."""
    found = [f"{match['file']} at {match['pages']}" for match in _PAGES.finditer(said)]
    return "; ".join(found) or "see the log of the command"
