"""`stackctl size --format conf`: the text of postgresql.conf, for a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import Problem
from stackctl.operations.build import any_build
from stackctl.operations.project import bootable, open_for_files
from stackctl.operations.result import Request
from stackctl.render.stack import render_postgres


def conf_text(request: Request) -> tuple[str, Sequence[Problem]]:
    """What `render --target conf` writes to postgresql.conf, and the warnings about it.

    Raises ProfileError where the memory proof fails: a file that is not safe is not handed out.
    """
    opened, warnings = open_for_files(request)
    sizing = bootable(opened.settings, any_build(opened.settings))
    file = next(file for file in render_postgres(sizing) if file.path == "postgresql.conf")
    return file.content.decode(), (*warnings, *sizing.warnings)
