"""A secret that cannot slip into a log, a document or an error message."""

from __future__ import annotations

import hmac
from typing import NoReturn

REDACTED = "[REDACTED]"


class Secret:
    """Text that prints as [REDACTED]. It has no hash and cannot be pickled; json refuses it."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")
