"""`stackctl size --format conf`: the text of postgresql.conf, for a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import Problem
from stackctl.hardware.model import PORTABLE_BUILD
from stackctl.operations.build import given_build, refuse_unbuilt
from stackctl.operations.project import fitted, larger_than_host, open_project, refuse_failing, sized
from stackctl.operations.result import Request
from stackctl.render.stack import render_postgres


def conf_text(request: Request) -> tuple[str, Sequence[Problem]]:
    """What `render --target conf` writes to postgresql.conf, and the warnings about it.

    Raises ProfileError where the memory proof fails: a file that is not safe is not handed out.
    """
    opened = open_project(request)
    warnings = (*opened.settings.warnings, *larger_than_host(opened.settings.profile, opened.host))
    settings = fitted(opened.settings, opened.host) if opened.settings.fit else opened.settings
    build = given_build(settings) or PORTABLE_BUILD
    sizing = sized(settings, build)
    refuse_failing(sizing)
    refuse_unbuilt(settings, build)
    file = next(file for file in render_postgres(sizing) if file.path == "postgresql.conf")
    return file.content.decode(), (*warnings, *sizing.warnings)
