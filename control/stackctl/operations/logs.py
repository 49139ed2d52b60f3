"""`stackctl logs`: what the services wrote."""

from __future__ import annotations

import re

from stackctl.engine.runner import Runner
from stackctl.errors import UsageError
from stackctl.operations.engines import recorded_engine
from stackctl.operations.project import open_project
from stackctl.operations.result import Line, Request, Result

_SLOW = re.compile(r"duration: [\d.]+ ms")
_MANY = 10_000


def logs_command(
    request: Request, runner: Runner, service: str | None, *, slow: bool, tail: int, follow: bool
) -> Result:
    """The last `tail` lines, with `slow` only of slow statements; or follow until interrupted."""
    opened = open_project(request)
    engine = recorded_engine(opened, runner)
    names = [state.name for state in engine.services()]
    if service is not None and names and service not in names:
        raise UsageError(f"no service {service!r}", hint=f"one of {', '.join(names)}")
    if follow:
        return Result({}, [], exit_code=engine.follow("postgres" if slow else service))
    if slow:
        lines = [line for line in engine.logs("postgres", _MANY) if _SLOW.search(line)][-tail:]
    else:
        lines = list(engine.logs(service, tail))
    return Result({"service": service, "lines": lines}, [Line(line) for line in lines])
