"""The checksum that POSIX `cksum` prints, which shell scripts can take too. Pure."""

from __future__ import annotations

import zlib

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES = 0xFFFFFFFF


class PosixSum:
    """The checksum of what was put in so far.

    It is CRC-32 over the bytes and then their number, highest bit first. That of zlib goes lowest bit first, so that
    each byte is turned round for it.
    """

    def __init__(self) -> None:
        self._crc, self._size = _ALL_ONES, 0

    def update(self, piece: bytes) -> None:
        """Put in what follows."""
        self._crc = zlib.crc32(piece.translate(_REVERSED), self._crc)
        self._size += len(piece)

    @property
    def value(self) -> int:
        """The number that `cksum` prints."""
        length = self._size.to_bytes((self._size.bit_length() + 7) // 8, "little")
        crc = zlib.crc32(length.translate(_REVERSED), self._crc) ^ _ALL_ONES
        return int(f"{crc:032b}"[::-1], 2) ^ _ALL_ONES


def posix_sum(content: bytes) -> int:
    """The checksum of some bytes."""
    found = PosixSum()
    found.update(content)
    return found.value
