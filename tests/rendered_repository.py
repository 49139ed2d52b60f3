"""The rendered pgbackrest.conf of a project, as its last change left it."""

from __future__ import annotations

from pathlib import Path

from profiles import changed, sized
from stackctl.engine.docker.place import place_of
from stackctl.engine.project import Project
from stackctl.render import pgbackrest
from stackctl.render.templates import render


def rendered_conf(project: Project, repository: Path) -> bytes:
    """`repository` is the folder of the backups, where they are in one."""
    assert project.pgbackrest is not None
    source = None if project.pgbackrest.remote else project.from_files(repository / "pgbackrest")
    settings = pgbackrest.settings(sized(changed()), project.pgbackrest, source)
    values = {"version": "0", "profile_line": "", "name": "shop", "place": place_of(17), "pgbackrest": settings}
    return render("config/pgbackrest/pgbackrest.conf.j2", values)
