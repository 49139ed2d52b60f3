"""Where a value begins to be wrong, as colours and in words: who cannot tell colours reads the description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_SCALES = {
    "percentunit": ((0.01, "%"),),
    "bytes": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")),
    "s": ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms")),
}
# A whole number of a smaller unit is easier to read than a fraction of a larger one.
_DECIMALS = 1


@dataclass(frozen=True)
class Limits:
    """`warning` and `critical` in the panel's unit; `low` where small values are the wrong ones."""

    warning: float | None = None
    critical: float | None = None
    low: bool = False

    def steps(self) -> list[Json]:
        """Grafana's steps, from the smallest value up; the first is for everything below."""
        marks = [(self.warning, "orange"), (self.critical, "red")]
        known = [(value, colour) for value, colour in marks if value is not None]
        if not self.low:
            return [{"color": "green", "value": None}, *({"color": c, "value": v} for v, c in known)]
        colours = [*(colour for _, colour in reversed(known)), "green"]
        values = [None, *(value for value, _ in reversed(known))]
        return [{"color": colour, "value": value} for colour, value in zip(colours, values, strict=True)]

    def words(self, unit: str) -> str:
        """The same as a sentence; empty where there are none."""
        side = "below" if self.low else "from"
        marks = [(self.warning, "Orange"), (self.critical, "Red")]
        parts = [f"{colour} {side} {spoken(value, unit)}" for value, colour in marks if value is not None]
        return ", ".join([*parts[:1], *(f"{part[0].lower()}{part[1:]}" for part in parts[1:])]) + "." if parts else ""


NONE = Limits()


def spoken(value: float, unit: str) -> str:
    """A value as a person says it: 0.75 of percentunit is `75 %`."""
    scales = _SCALES.get(unit, ())
    for size, name in scales:
        if value >= size and round(value / size, _DECIMALS) == value / size:
            return f"{value / size:g} {name}"
    return f"{value / scales[-1][0]:g} {scales[-1][1]}" if scales else f"{value:g}"
