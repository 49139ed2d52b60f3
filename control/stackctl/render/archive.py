"""The command that archives WAL, as postgresql.conf has it."""

from __future__ import annotations

import shlex

from stackctl.hardware.model import HardwareProfile
from stackctl.render.model import Place
from stackctl.sizing.wal import backlog_bounds


def archive_command(profile: HardwareProfile, place: Place) -> str:
    """The value of archive_command: quoted for the shell, and each % of a path for the server."""
    script, folder = (
        shlex.quote(path).replace("%", "%%") for path in (f"{place.config}/postgres/archive-wal", place.archive)
    )
    bound, reserve = backlog_bounds(profile)
    return f"sh {script} {folder} %p %f {bound} {reserve}"
