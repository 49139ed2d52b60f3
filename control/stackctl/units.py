"""Quantities: bytes and milliseconds as types, and the spellings people and PostgreSQL use for them."""

from __future__ import annotations

import re
from typing import NewType

Bytes = NewType("Bytes", int)
Millis = NewType("Millis", int)

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

_FACTORS = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_PG_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)")
_PG_FACTORS = {"B": 1, "kB": KIB, "MB": MIB, "GB": GIB, "TB": TIB}
_PG_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d)")
_PG_TIME_FACTORS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_bytes(text: str) -> Bytes:
    """Read `16G`, `16GB`, `16GiB` or `16384M` (binary units, as PostgreSQL counts).

    Raises ValueError where the unit is missing or unknown, or the size is not positive.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size with a unit, such as 16G or 512M")
    size = int(float(match[1]) * _FACTORS[match[2].upper()])
    if size <= 0:
        raise ValueError(f"{text!r} is not more than zero")
    return Bytes(size)


def pg_size(size: int) -> str:
    """`size` bytes in PostgreSQL's spelling, in the largest unit that divides it: 4294967296 -> "4GB"."""
    for unit, factor in (("TB", TIB), ("GB", GIB), ("MB", MIB), ("kB", KIB)):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size // KIB}kB"


def parse_pg_size(text: str) -> Bytes:
    """Read a memory value as PostgreSQL writes it (`4GB`, `64kB`). Raises ValueError for other spellings."""
    match = _PG_SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a PostgreSQL memory value, such as 512MB or 4GB (B, kB, MB, GB, TB)")
    return Bytes(int(float(match[1]) * _PG_FACTORS[match[2]]))


def parse_pg_time(text: str) -> Millis:
    """Read a time value as PostgreSQL writes it (`30s`, `15min`). Raises ValueError for other spellings."""
    match = _PG_TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a PostgreSQL time value, such as 30s or 15min (us, ms, s, min, h, d)")
    return Millis(round(float(match[1]) * _PG_TIME_FACTORS[match[2]]))


def human(size: int) -> str:
    """`size` bytes for people, to one decimal: 11596411699 -> "10.8 GiB"."""
    for unit, factor in (("TiB", TIB), ("GiB", GIB), ("MiB", MIB)):
        if size >= factor:
            text = f"{size / factor:.1f}".removesuffix(".0")
            return f"{text} {unit}"
    return f"{size // KIB} KiB"


def counted(number: float, noun: str, nouns: str = "") -> str:
    """`number` of something, in words that fit it: "1 row", "2 rows"; `nouns` where an s does not make the plural.

    A whole number has no decimals.
    """
    return f"{int(number) if number == int(number) else number} {noun if number == 1 else nouns or f'{noun}s'}"


def floor_to(size: int, step: int) -> Bytes:
    """`size` rounded down to a multiple of `step`."""
    return Bytes(size // step * step)


def floor_power_of_two(size: int) -> Bytes:
    """The largest power of two that is at most `size`; `size` must be positive."""
    return Bytes(1 << (size.bit_length() - 1))
