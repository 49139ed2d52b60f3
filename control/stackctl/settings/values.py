"""How each key is read from text, whichever layer it stands in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from stackctl.hardware.model import (
    DISKS,
    FULL_BUILD,
    PORTABLE_BUILD,
    POSTGRES_MAJORS,
    Build,
    DiskLimit,
    Pooler,
    Storage,
    Workload,
)
from stackctl.units import GIB, KIB, MIB, Bytes, parse_bytes

ENGINES = ("auto", "docker", "embedded")
IMAGES = ("public", "debian")
BUILD_FEATURES = FULL_BUILD.features
MIN_RAM = Bytes(512 * MIB)
MIN_DISK = Bytes(GIB)
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]*$"

_END_OF_LIFE = {"13": "November 2025", "14": "November 2026"}
_BUILDS = {"full": FULL_BUILD, "portable": PORTABLE_BUILD}
_FASTEST = 4 * GIB
# Operations a second of a disk that turns.
_SLOWEST = 50
_TRUE = ("on", "true", "yes", "1")
_FALSE = ("off", "false", "no", "0")


class Fault(ValueError):
    """A value that cannot be used: what is wrong with it, and what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def nearest(word: str, options: Iterable[str]) -> str:
    """A hint: the option that `word` was probably meant to be, or all of them."""
    known = list(options)
    import difflib

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"


def choice(text: str, options: Iterable[str]) -> str:
    """One of the options, however it is capitalized. Raises Fault."""
    known, word = list(options), text.strip().lower()
    if word not in known:
        raise Fault(f"{text!r} is not one of {', '.join(known)}", nearest(word, known))
    return word


def whole(text: str, low: int, high: int, what: str = "a whole number") -> int:
    """An integer from `low` to `high`."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()):
        raise Fault(f"{text!r} is not {what}", f"write a whole number from {low} to {high}")
    number = int(text)
    if not low <= number <= high:
        raise Fault(f"{number} is outside {low} to {high}", f"write a whole number from {low} to {high}")
    return number


def boolean(text: str) -> bool:
    """Yes or no, in the spellings that PostgreSQL takes too."""
    word = text.strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise Fault(f"{text!r} is not on or off", "write on or off")
    return word in _TRUE


def _size(text: str, low: Bytes, low_text: str, example: str) -> Bytes:
    try:
        size = parse_bytes(text)
    except (ValueError, OverflowError) as error:
        raise Fault(str(error), _size_hint(text.strip(), low, low_text, example)) from error
    if size < low:
        raise Fault(f"{text!r} is less than {low_text}", f"write {low_text} or more")
    return size


def _size_hint(text: str, low: Bytes, low_text: str, example: str) -> str:
    """A size near to the one that was meant, which is taken."""
    number = re.match(r"(-?[0-9]{1,7}(?:\.[0-9]{1,3})?)(?![0-9.,])\s*([KMGT]?)", text, re.IGNORECASE)
    if number is None:
        return f"write {example}"
    amount = number[1]
    unit = number[2].upper() or ("G" if float(amount) < 1024 else "M")
    if float(amount) <= 0 or parse_bytes(f"{amount}{unit}") < low:
        return f"write {low_text} or more"
    return f"write {amount}{unit}"


def ram(text: str) -> Bytes:
    """The machine's memory in bytes, at least 512M."""
    return _size(text, MIN_RAM, "512M", "16G")


def disk(text: str) -> Bytes:
    """The size of the data disk in bytes, at least 1G."""
    return _size(text, MIN_DISK, "1G", "200G")


def cpus(text: str) -> int:
    """Whole CPUs: sizing counts workers by them, so whoever has a quota of 1.5 says which way to round."""
    quota = re.fullmatch(r"([0-9]{1,4})\.[0-9]+", text.strip())
    if quota:
        hint = f"round a quota down: write {max(1, int(quota[1]))}"
        raise Fault(f"{text!r} is not a whole number of CPUs", hint)
    return whole(text, 1, 1024, "a whole number of CPUs")


def storage(text: str) -> Storage:
    """The kind of disk under the data."""
    return Storage(choice(text, Storage))


def workload(text: str) -> Workload:
    """What the database mostly does."""
    return Workload(choice(text, Workload))


def pooler(text: str) -> Pooler:
    """The pooler between app and database."""
    return Pooler(choice(text, Pooler))


def engine(text: str) -> str:
    """What runs the stack."""
    return choice(text, ENGINES)


def images(text: str) -> str:
    """Where images come from."""
    return choice(text, IMAGES)


def postgres(text: str) -> int:
    """A major version that is supported."""
    word, majors = text.strip(), ", ".join(map(str, POSTGRES_MAJORS))
    if word in _END_OF_LIFE:
        message = f"PostgreSQL {word} is not supported: its community support ends in {_END_OF_LIFE[word]}"
        raise Fault(message, f"choose one of {majors}")
    if word not in map(str, POSTGRES_MAJORS):
        major = word.partition(".")[0]
        hint = f"write {major}" if major in map(str, POSTGRES_MAJORS) else f"choose one of {majors}"
        raise Fault(f"{text!r} is not a major version of PostgreSQL that is supported", hint)
    return int(word)


def build(text: str) -> Build | PurePath:
    """Optional features of the server: by name, `full`, `portable`, or the folder of its programs, to be asked."""
    word = text.strip().lower()
    if word.startswith("/"):
        return PurePath(text.strip())
    if word in _BUILDS:
        return _BUILDS[word]
    names = [name.strip() for name in word.split(",")]
    for name in names:
        if name not in BUILD_FEATURES:
            message = f"{name!r} is no feature of a build and no whole path of a folder"
            raise Fault(message, f"{nearest(name, BUILD_FEATURES if name in _BUILDS else (*BUILD_FEATURES, *_BUILDS))}")
    return Build(**dict.fromkeys(names, True))


def wal_rate(text: str) -> Bytes:
    """WAL written in a busy second, in bytes; `5M` and `5M/s` alike."""
    word = text.strip().removesuffix("/s")
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", word):
        raise Fault(f"{text!r} has no unit", f"write {word}M for MiB in a second")
    rate = _size(word, Bytes(KIB), "1K", "5M")
    if rate > _FASTEST:
        raise Fault(f"{text!r} is more than any disk takes", "write the WAL of one second, such as 5M")
    return rate


def disk_limit(text: str) -> DiskLimit:
    """What the database may ask of the disk: `iops=3000,mbps=125`, one of them, or a volume that is known."""
    word = text.strip().lower()
    if word in DISKS:
        return DISKS[word]
    match = re.fullmatch(r"(?:iops=(?P<iops>[0-9]{1,7}))?(?P<and>,)?(?:mbps=(?P<mbps>[0-9]{1,5}))?", word)
    if match is None or bool(match["and"]) != bool(match["iops"] and match["mbps"]) or not word:
        message = f"{text!r} is not of the form iops=3000,mbps=125, and no volume that is known"
        raise Fault(message, f"{nearest(word, DISKS)}, or write one or both of the numbers")
    limit = DiskLimit(int(match["iops"] or 0), Bytes(int(match["mbps"] or 0) * MIB))
    if (match["iops"] and limit.iops < _SLOWEST) or (match["mbps"] and not limit.rate):
        raise Fault(f"{text!r} is less than any disk does", "write iops=3000,mbps=125, for example")
    return limit


def app_workers(text: str) -> int:
    """Worker processes of the app."""
    return whole(text, 1, 256)


def connections(text: str) -> int:
    """A wanted max_connections; fewer than 20 leave no room beside the app."""
    return whole(text, 20, 10_000)


def port(text: str) -> int:
    """A TCP port."""
    return whole(text, 1, 65_535)


def name(text: str) -> str:
    """A project name that Compose takes."""
    if not re.fullmatch(NAME_PATTERN[1:-1], text):
        wanted = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_") or "shop"
        message = f"{text!r} is not a project name (a-z, 0-9, - and _, a letter or digit first)"
        raise Fault(message, f"write {wanted}, for example")
    return text
