"""What to change where the memory proof fails: the smallest step from the pins, or from the profile, that passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from stackctl.hardware.model import HardwareProfile
from stackctl.sizing import report
from stackctl.sizing.catalog import Catalog, Entry
from stackctl.sizing.model import SIZED, Pins, Sizing
from stackctl.units import GIB, KIB, MIB, Bytes, floor_to, parse_pg_size, pg_size

Size = Callable[[HardwareProfile, Pins], Sizing]
Fits = Callable[[Sizing], bool]
_STOCK_WORK_MEM = 4 * MIB
_STEPS = 40
_UNFIT = ("memory", "pool_too_large")
_TIB = 1024 * GIB
# Pins that are no parameters of PostgreSQL, by the names that a user knows them by.
_OWN = {
    "DB_POOL_SIZE": "a pool size",
    "DB_MAX_OVERFLOW": "a max_overflow",
    report.CONNECTIONS: "report.connections",
    report.WORK_MEM: "report.work_mem",
}


@dataclass(frozen=True)
class _Step:
    """A change that passes. `share` is what stays of the value, so 1.0 would be no change at all."""

    share: float
    text: str


def smallest_change(profile: HardwareProfile, pins: Pins, catalog: Catalog, size: Size) -> str:
    """A sentence with the change that leaves most of what was asked for; the rest is sized again around it.

    Every candidate is tried by sizing with it, so that what the sentence names does pass.
    """
    fits = _usable(size(profile, {}))
    steps = sorted(_pin_steps(profile, pins, catalog, size, fits), key=lambda step: -step.share)
    if steps:
        others = f" (or {steps[1].text})" if len(steps) > 1 else ""
        return f"{steps[0].text} would fit{others}"
    if pins and fits(size(profile, {})):
        return _each_alone(profile, pins, catalog, size, fits)
    return " or ".join(_profile_steps(profile, pins, size)) or "no smaller value would fit: use a larger machine"


def _each_alone(profile: HardwareProfile, pins: Pins, catalog: Catalog, size: Size, fits: Fits) -> str:
    """What each pin may be by itself, where no single one mends all of them."""
    alone = [{name: pin} for name, pin in pins.items() if not fits(size(profile, {name: pin}))]
    steps = [step.text for each in alone for step in _pin_steps(profile, each, catalog, size, fits)]
    if steps:
        return f"each of these is too much by itself: {', '.join(steps)}"
    return f"only together are they too much: take out some of {', '.join(sorted(pins))}"


def starved(sizing: Sizing, free: Sizing) -> tuple[str, ...]:
    """Sized values that pins leave less than the server needs: work_mem below stock's, or half of the buffers.

    `free` is the sizing of the same machine without pins.
    """
    floors = {
        "work_mem": min(parse_pg_size(free.value("work_mem")), _STOCK_WORK_MEM),
        "shared_buffers": parse_pg_size(free.value("shared_buffers")) // 2,
    }
    sized = {p.name: parse_pg_size(p.value) for p in sizing.parameters if p.name in floors and p.provenance == SIZED}
    return tuple(name for name, least in floors.items() if sized.get(name, least) < least)


def _usable(free: Sizing) -> Fits:
    """Whether a sizing passes the proof, and leaves the server enough to work with."""

    def fits(sizing: Sizing) -> bool:
        return not any(problem.code in _UNFIT for problem in sizing.warnings) and not starved(sizing, free)

    return fits


def _pin_steps(profile: HardwareProfile, pins: Pins, catalog: Catalog, size: Size, fits: Fits) -> Iterator[_Step]:
    for name in pins:
        entry = catalog.entries.get("work_mem" if name == report.WORK_MEM else name)
        counts = entry is not None and entry.numeric and not entry.time
        without = {other: each for other, each in pins.items() if other != name}
        if (counts or name in _OWN) and fits(free := size(profile, without)):
            known = next((entry.number(p.value) for p in free.parameters if entry and p.name == name), 0.0)
            yield _pin_step(pins, name, entry, known, lambda changed: fits(size(profile, changed)))


def _pin_step(pins: Pins, name: str, entry: Entry | None, known: float, passes: Callable[[Pins], bool]) -> _Step:
    """The largest value that passes. `known` is the sized one: less may not pass either, such as 5 connections."""
    value = entry.number(pins[name].value) if entry else float(pins[name].value)
    memory = entry is not None and entry.memory

    def fits(number: float) -> bool:
        return passes({**pins, name: replace(pins[name], value=_text(number, memory))})

    low = known if known < value and fits(known) else 0.0
    best = _largest(low, value, fits, memory, whole=entry is None or entry.kind == "integer")
    return _named(name, best, value, memory)


def _named(name: str, best: float | None, value: float, memory: bool) -> _Step:
    shown = _OWN.get(name, name)
    if best is None:
        return _Step(0.0, f"{shown} left to the sizing")
    return _Step(best / value, f"{shown} at most {_text(best, memory)}")


def _text(number: float, memory: bool) -> str:
    if memory:
        return pg_size(int(number))
    return str(int(number)) if number == int(number) else f"{number:.1f}"


def _largest(low: float, high: float, fits: Callable[[float], bool], memory: bool, *, whole: bool) -> float | None:
    """The largest number from `low` to below `high` that fits, on a grid that people write; None where nothing does."""
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
    def passes(**changes: Any) -> bool:
        return not any(problem.code in _UNFIT for problem in size(replace(profile, **changes), pins).warnings)

    if profile.scheduled and passes(scheduled=False):
        yield "backup.scheduler: none in stackctl.yaml, and a timer of the machine in its place,"
    if profile.pgbackrest and passes(pgbackrest=False):
        yield "backup.engine: native in stackctl.yaml, with a folder and without encryption,"
    fewer = next((n for n in range(profile.app_workers - 1, 0, -1) if passes(app_workers=n)), None)
    if fewer:
        yield f"--app-workers {fewer}"
    low, high = profile.ram, Bytes(64 * _TIB)
    if not passes(ram=high):
        return
    while high - low > MIB and high - low > low // 50:
        middle = floor_to((low + high) // 2, MIB)
        low, high = (low, middle) if passes(ram=middle) else (middle, high)
    yield f"--ram {-(-high // MIB)}M would fit"
