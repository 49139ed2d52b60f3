"""What to change where the memory proof fails: the smallest step from the pins, or from the profile, that passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from stackctl.hardware.model import HardwareProfile
from stackctl.sizing.catalog import Catalog, Entry
from stackctl.sizing.model import Pins, Sizing
from stackctl.units import GIB, KIB, MIB, Bytes, floor_to, human, pg_size

Size = Callable[[HardwareProfile, Pins], Sizing]
_STEPS = 40
_UNFIT = ("memory", "pool_too_large")
_TIB = 1024 * GIB
# The app's own pins, by the names that a user knows them by.
_POOL = {"DB_POOL_SIZE": "a pool size", "DB_MAX_OVERFLOW": "a max_overflow"}


@dataclass(frozen=True)
class _Step:
    """A change that passes. `share` is what stays of the value, so 1.0 would be no change at all."""

    share: float
    text: str


def smallest_change(profile: HardwareProfile, pins: Pins, catalog: Catalog, size: Size) -> str:
    """A sentence with the change that leaves most of what was asked for; the rest is sized again around it.

    Every candidate is tried by sizing with it, so that what the sentence names does pass.
    """
    steps = sorted(_pin_steps(profile, pins, catalog, size), key=lambda step: -step.share)
    if steps:
        others = f" (or {steps[1].text})" if len(steps) > 1 else ""
        return f"{steps[0].text} would fit{others}"
    if pins and _passes(size(profile, {})):
        return f"no single pin is at fault: take out some of {', '.join(sorted(pins))}"
    return " or ".join(_profile_steps(profile, pins, size)) or "no smaller value would fit: use a larger machine"


def _passes(sizing: Sizing) -> bool:
    return not any(problem.code in _UNFIT for problem in sizing.warnings)


def _pin_steps(profile: HardwareProfile, pins: Pins, catalog: Catalog, size: Size) -> Iterator[_Step]:
    for name in pins:
        entry = catalog.entries.get(name)
        counts = entry is not None and entry.numeric and not entry.time
        without = {other: each for other, each in pins.items() if other != name}
        if (counts or name in _POOL) and _passes(size(profile, without)):
            yield _pin_step(profile, pins, name, entry, size)


def _pin_step(profile: HardwareProfile, pins: Pins, name: str, entry: Entry | None, size: Size) -> _Step:
    value = entry.number(pins[name].value) if entry else float(pins[name].value)
    memory = entry is not None and entry.memory

    def fits(number: float) -> bool:
        return _passes(size(profile, {**pins, name: replace(pins[name], value=_text(number, memory))}))

    best = _largest(value, fits, memory, whole=entry is None or entry.kind == "integer")
    return _named(name, best, value, memory)


def _named(name: str, best: float | None, value: float, memory: bool) -> _Step:
    shown = _POOL.get(name, name)
    if best is None:
        return _Step(0.0, f"{shown} left to the sizing")
    return _Step(best / value, f"{shown} at most {_text(best, memory)}")


def _text(number: float, memory: bool) -> str:
    if memory:
        return pg_size(int(number))
    return str(int(number)) if number == int(number) else f"{number:.1f}"


def _largest(value: float, fits: Callable[[float], bool], memory: bool, *, whole: bool) -> float | None:
    """The largest number below `value` that fits, on a grid that people write; None where nothing does."""
    low, high = 0.0, value
    for _ in range(_STEPS):
        middle = _grid((low + high) / 2, memory, whole)
        if middle <= low:
            break
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low or None


def _grid(number: float, memory: bool, whole: bool) -> float:
    if memory:
        return floor_to(int(number), MIB if number >= 8 * MIB else 64 * KIB)
    return float(int(number)) if whole else int(number * 10) / 10


def _profile_steps(profile: HardwareProfile, pins: Pins, size: Size) -> Iterator[str]:
    for workers in range(profile.app_workers - 1, 0, -1):
        if _passes(size(replace(profile, app_workers=workers), pins)):
            yield f"--app-workers {workers}"
            break
    low, high = profile.ram, Bytes(64 * _TIB)
    if not _passes(size(replace(profile, ram=high), pins)):
        return
    while high - low > 64 * MIB and high - low > low // 50:
        middle = floor_to((low + high) // 2, MIB)
        low, high = (low, middle) if _passes(size(replace(profile, ram=middle), pins)) else (middle, high)
    yield f"--ram with {human(high)} would fit"
