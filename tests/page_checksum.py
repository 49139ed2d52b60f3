"""The checksum of a page of PostgreSQL, after src/include/storage/checksum_impl.h."""

from __future__ import annotations

import struct

_PRIME = 16_777_619
_SUMS = 32
_MASK = 0xFFFFFFFF
_BASES = (
    "5B1F36E9 B8525960 02AB50AA 1DE66D2A 79FF467A 9BB9F8A3 217E7CD2 83E13D2C "
    "F8D4474F E39EB970 42C6AE16 993216FA 7B093B5D 98DAFF3C F718902A 0B1C9CDB "
    "E58F764B 187636BC 5D7B3BB1 E73DE7DE 92BEC979 CCA6C0B2 304A0979 85AA43D4 "
    "783125BB 6CA8EAA2 E407EAC6 4B5CFC3E 9FBF8C76 15CA20BE F2CA9FD3 959BD756"
)


def page_checksum(page: bytes | bytearray, block: int) -> int:
    """The 16 bits that belong into bytes 8 and 9 of the page with this number."""
    blank = bytes(page[:8]) + bytes(2) + bytes(page[10:])
    sums = [int(base, 16) for base in _BASES.split()]
    words = struct.unpack(f"<{len(blank) // 4}I", blank)
    for number, word in enumerate((*words, *([0] * _SUMS * 2))):
        mixed = sums[number % _SUMS] ^ word
        sums[number % _SUMS] = ((mixed * _PRIME) & _MASK) ^ (mixed >> 17)
    folded = 0
    for each in sums:
        folded ^= each
    return (folded ^ block) % 65_535 + 1
