"""`stackctl render`: write the files to a folder, and nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackctl.backup.generation import Generations
from stackctl.errors import UsageError
from stackctl.operations.backups.engines import refuse_unscheduled, refuse_unsupported
from stackctl.operations.build import any_build
from stackctl.operations.engines import DOCKER
from stackctl.operations.own_app import app_for_engine
from stackctl.operations.project import Opened, assumed_build, bootable, open_for_files
from stackctl.operations.result import Line, Request, Result
from stackctl.operations.stack import schedule_values, wanted_services
from stackctl.render.manifest import Target
from stackctl.render.model import File
from stackctl.render.own_app import with_app
from stackctl.render.stack import SERVICES, Stack, render_postgres, render_stack
from stackctl.render.write import write
from stackctl.sizing.model import Sizing
from stackctl.units import counted

TARGETS = ("compose", "conf")


def render_command(request: Request, out: Path, target: str) -> Result:
    """Write the files of `target` to `out`. No engine needs to run, and the project is not touched."""
    if target not in TARGETS:
        raise UsageError(f"--target {target!r} is not one of {', '.join(TARGETS)}", hint="the default is compose")
    opened, warnings = open_for_files(request)
    conf = target == "conf"
    if not conf:
        opened = replace(opened, settings=app_for_engine(opened.settings, DOCKER))
    build = any_build(opened.settings) if conf else assumed_build(opened.settings, opened.state)
    sizing = bootable(opened.settings, build)
    files = render_postgres(sizing) if conf else compose_files(opened, sizing, out)
    write(out, files)
    names = [file.path for file in files]
    data = {"out": str(out.resolve()), "target": target, "files": names}
    return Result(data, [Line(f"wrote {counted(len(names), 'file')} to {out}", "good")], (*warnings, *sizing.warnings))


def compose_files(opened: Opened, sizing: Sizing, out: Path) -> tuple[File, ...]:
    """The Compose stack as `up` would render it, for an engine that was not asked for its version."""
    from stackctl.engine.docker.images import PUBLIC, supply
    from stackctl.engine.docker.place import extra, place_of, secret_names

    profile = sizing.profile
    shares = {share.service for share in sizing.budget}
    source = opened.settings.images or (opened.state.images if opened.state else "") or PUBLIC
    app = opened.settings.app
    refuse_unsupported(opened.project, DOCKER, source)
    refuse_unscheduled(opened.settings.backup)
    wanted = supply(source, profile.postgres, tuple(wanted_services(opened.settings, shares)), app.image)
    services = tuple(service for service in SERVICES if service in wanted.images)
    secrets = opened.project.secrets
    rest = {
        **extra(sizing, opened.settings.ports, wanted.references(), None),
        "secrets": secret_names(sizing, services),
        "secrets_folder": os.path.relpath(secrets, out.resolve()),
        **_repository(opened, sizing, out),
        "fingerprint": "",
    }
    where = with_app(place_of(profile.postgres), app)
    stack = Stack(opened.project.name, where, services, rest, app, alerts=opened.settings.alerts)
    return render_stack(sizing, stack, Target.COMPOSE)


def _repository(opened: Opened, sizing: Sizing, out: Path) -> dict[str, Any]:
    from stackctl.engine.docker import mounts, repository

    def spelled(path: Path) -> str:
        return os.path.relpath(path, out.resolve())

    project, state = opened.project, opened.state
    root = project.repository or project.folder / "backups"
    folder = repository.folder_of(project, root)
    generations = state.data.get(DOCKER, Generations()) if state else Generations()
    return {
        **mounts.extra(project, root, spelled),
        **repository.extra(project, sizing, spelled(folder) if folder else None, spelled(project.repository_keys)),
        "schedule": schedule_values(opened.settings, generations),
    }
