"""`stackctl logs`: what the services wrote."""

from __future__ import annotations

import re
from collections.abc import Callable

from stackctl.engine.base import Engine
from stackctl.engine.runner import Runner
from stackctl.errors import UsageError
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_recorded
from stackctl.operations.result import Line, Request, Result
from stackctl.operations.state import State
from stackctl.render.stack import SERVICES

_SLOW = re.compile(r"duration: [\d.]+ ms")
_MANY = 10_000
ONE_OFF = "migrate"


def logs_command(
    request: Request,
    runner: Runner,
    service: str | None,
    show: Callable[[str], None],
    *,
    slow: bool,
    tail: int,
    follow: bool,
) -> Result:
    """The last `tail` lines, with `slow` only of slow statements; with `follow`, `show` is given lines as they come."""
    opened = open_recorded(request)
    engine = recorded_engine(opened, runner)
    names = _names(engine, opened.state)
    if service is not None and service not in names:
        raise UsageError(f"no service {service!r}", hint=f"one of {', '.join(names)}")
    if follow:
        _follow(engine, service, show, slow=slow, tail=tail)
        return Result({}, [], opened.warnings)
    lines = _slow_lines(engine, tail) if slow else list(engine.logs(service, tail))
    return Result({"service": service, "lines": lines}, [Line(line, "verbatim") for line in lines], opened.warnings)


def _names(engine: Engine, state: State | None) -> list[str]:
    """Services that have a log: those there are, and a one-off that migrates as a service of its own."""
    there = [each.name for each in engine.services()] or [name for name in SERVICES if name != ONE_OFF]
    if state is None or not state.app.migrates or (engine.name != "docker" and not state.app.own):
        return there
    return sorted({*there, ONE_OFF})


def _follow(engine: Engine, service: str | None, show: Callable[[str], None], *, slow: bool, tail: int) -> None:
    """Show the last `tail` lines, then new ones until interrupted."""
    if not slow:
        for line in engine.follow(service, tail):
            show(line)
        return
    for line in _slow_lines(engine, tail):
        show(line)
    for line in engine.follow("postgres", 0):
        if _SLOW.search(line):
            show(line)


def _slow_lines(engine: Engine, tail: int) -> list[str]:
    return [line for line in engine.logs("postgres", _MANY) if _SLOW.search(line)][-tail:]
