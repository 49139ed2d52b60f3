"""Pins: the app's own, which no server knows, and the check of all of them before sizing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stackctl.errors import Problem
from stackctl.settings import values
from stackctl.sizing import report
from stackctl.sizing.catalog import ENGINE_PARAMETERS, Catalog
from stackctl.sizing.model import Pins
from stackctl.units import KIB, MIB, parse_pg_size, parse_pg_time, pg_size


@dataclass(frozen=True)
class Span:
    """The whole numbers that an app-side pin may have."""

    low: int
    high: int


STATEMENT_TIMEOUT = "PG_STATEMENT_TIMEOUT"
REPORT_WORK_MEM = report.WORK_MEM
_SWITCHES = ("DB_POOL_PRE_PING",)
TIMES = (STATEMENT_TIMEOUT, report.STATEMENT_TIMEOUT)
# What the server takes for a work_mem: 64 kB, and below 2 TB.
_WORK_MEM = Span(64 * KIB, 2_097_151 * MIB)
# 0 and -1 mean "without limit" to SQLAlchemy's pool: no sum of pools would hold, so they are out of range.
SPANS = {
    STATEMENT_TIMEOUT: Span(0, 2_147_483_647),
    "PG_CONNECT_TIMEOUT": Span(1, 600),
    "PG_KEEPALIVES_IDLE": Span(0, 86_400),
    "PG_PREPARED_STATEMENT_CACHE": Span(0, 10_000),
    "DB_POOL_SIZE": Span(1, 10_000),
    "DB_MAX_OVERFLOW": Span(0, 10_000),
    "DB_POOL_TIMEOUT": Span(1, 3_600),
    "DB_POOL_RECYCLE": Span(1, 604_800),
    report.CONNECTIONS: Span(0, 10_000),
    report.STATEMENT_TIMEOUT: Span(0, 2_147_483_647),
}
APP_PINS = (*SPANS, *_SWITCHES, REPORT_WORK_MEM)
# Keys of stackctl.yaml
PIN_KEYS = {
    "pool.size": "DB_POOL_SIZE",
    "pool.max_overflow": "DB_MAX_OVERFLOW",
    "pool.timeout": "DB_POOL_TIMEOUT",
    "pool.recycle": "DB_POOL_RECYCLE",
    "pool.pre_ping": "DB_POOL_PRE_PING",
    "pool.connect_timeout": "PG_CONNECT_TIMEOUT",
    "pool.keepalives_idle": "PG_KEEPALIVES_IDLE",
    "pool.prepared_statements": "PG_PREPARED_STATEMENT_CACHE",
    "app.statement_timeout": STATEMENT_TIMEOUT,
    "report.connections": report.CONNECTIONS,
    "report.work_mem": REPORT_WORK_MEM,
    "report.statement_timeout": report.STATEMENT_TIMEOUT,
}


_ARCHIVED = "the stack archives its WAL by itself; archive_mode = off ends that, and recovery to a moment with it"
_HINTS = {
    "port": "use ports.postgres in stackctl.yaml",
    "archive_command": _ARCHIVED,
    "archive_library": _ARCHIVED,
}


def app_value(name: str, text: str) -> str:
    """The app-side pin's value as sizing reads it: digits, on and off, or an amount of memory. Raises Fault.

    A statement timeout may have a unit (`30s`); it comes back in milliseconds.
    """
    if name == REPORT_WORK_MEM:
        return _memory(text)
    if name in _SWITCHES:
        return "on" if values.boolean(text) else "off"
    if name in TIMES:
        text = _millis(text)
    return str(values.whole(text, SPANS[name].low, SPANS[name].high))


def _millis(text: str) -> str:
    if text.strip().lstrip("+-").isdigit():
        return text
    try:
        return str(parse_pg_time(text))
    except (ValueError, OverflowError) as error:
        raise values.Fault(str(error), "write 30s, or a number of milliseconds") from error


def _memory(text: str) -> str:
    try:
        size = parse_pg_size(text)
    except (ValueError, OverflowError) as error:
        raise values.Fault(str(error), "write 64MB, for example") from error
    if not _WORK_MEM.low <= size <= _WORK_MEM.high:
        raise values.Fault(f"{text!r} is outside 64kB to {pg_size(_WORK_MEM.high)}", "write 64MB, for example")
    return pg_size(size)


def check_pins(pins: Pins, catalog: Catalog, origins: Mapping[str, str] | None = None) -> list[Problem]:
    """What is wrong with `pins` for this server version; `origins` are those of Settings."""
    places = origins or {}
    found = []
    for given, pin in pins.items():
        name, origin = catalog.spelled(given), places.get(given, pin.provenance)
        if name != given and name in pins:
            found.append(Problem("bad_value", f"{origin}: {given} and {name} are the same parameter", "give it once"))
            continue
        if name in APP_PINS:
            problem = _check_app(name, pin.value, origin)
        elif name in ENGINE_PARAMETERS:
            problem = _engine_parameter(name, origin)
        else:
            problem = catalog.check(name, pin.value, _place(name, origin))
        if problem is not None:
            found.append(problem)
    return found


def _place(name: str, origin: str) -> str:
    """`origin` without the parameter's name, for a message that has the name itself."""
    return origin.removesuffix(name).rstrip(" .")


def _engine_parameter(name: str, origin: str) -> Problem:
    hint = _HINTS.get(name, "it follows from where the stack runs")
    return Problem("engine_parameter", f"{_place(name, origin)}: {name} is set by the engine", hint)


def _check_app(name: str, text: str, origin: str) -> Problem | None:
    try:
        app_value(name, text)
    except values.Fault as fault:
        return Problem("bad_value", f"{origin}: {fault}", fault.hint)
    return None
