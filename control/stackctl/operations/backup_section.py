"""The section `backup` of the project file, read by itself: what is wrong with the others does not matter here."""

from __future__ import annotations

from dataclasses import replace

from stackctl.operations.project import Recorded
from stackctl.settings.backup import SECTION, BackupSettings, backup_settings
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.project_file import load_section


def with_backups(recorded: Recorded) -> tuple[Recorded, BackupSettings]:
    """The project with what its file says of its repository, and the section. Raises ProfileError with its faults."""
    folder = recorded.project.folder
    settings = backup_settings(load_section(folder / PROJECT_FILE, SECTION).keys, folder)
    project = replace(recorded.project, repository=settings.repository, pgbackrest=settings.pgbackrest)
    return replace(recorded, project=project), settings
