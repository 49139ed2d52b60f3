"""`stackctl backup schedule --run`: the service that does what is due, and does not end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from stackctl.backup import lock
from stackctl.backup.gaps import passed
from stackctl.backup.model import Backup
from stackctl.backup.retention import restorable
from stackctl.engine.base import Note
from stackctl.engine.beat import BEAT, FOLDER
from stackctl.engine.project import Project
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError, StackError, unwritable
from stackctl.health.archiving import ArchiveUse
from stackctl.health.probes import asked_archiver
from stackctl.operations.archives import Held, held_archives
from stackctl.operations.backup import Opened, open_backups
from stackctl.operations.backups.schedule import machine_zone
from stackctl.operations.copy_room import refuse_without_room
from stackctl.operations.project import project_folder
from stackctl.operations.result import Request, Result
from stackctl.operations.scheduling.due import Known, Task
from stackctl.operations.scheduling.loop import Loop
from stackctl.operations.scheduling.memory import Memory, recall
from stackctl.settings.backup import SECTION, BackupSettings, backup_settings
from stackctl.settings.layers import PROJECT_FILE
from stackctl.settings.project_file import load_section
from stackctl.settings.schedule import jobs

_TURN_SECONDS = 20.0
# Each look at an object store lists it, which takes requests that are paid for: it gets one in five minutes,
# but for a job that said it would be tried again sooner.
_TURNS_OF_A_STORE = 15


class MachineClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The moment in the zone of the machine, to the second, as records have it."""
        return datetime.now(machine_zone()).replace(microsecond=0)

    def seconds(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


def run_command(request: Request, runner: Runner, note: Note) -> Result:
    """Do what is due, until ended by a signal. Raises Locked where the project's scheduler runs already."""
    folder = project_folder(request)
    settings = _in_force(folder)
    place = Project("", folder).private / FOLDER
    try:
        place.mkdir(parents=True, exist_ok=True)
        with lock.exclusive(place / "lock", "the scheduler"):
            _run(request, runner, note, folder, settings, recall(place))
    except OSError as error:
        raise unwritable(place, error) from error


def known(opened: Opened, memory: Memory) -> Known:
    """What is known now. Where several clusters are archived to the repository, only the running one counts."""
    # What is due is due; the job itself says best what is wrong with the server.
    use, _ = asked_archiver(opened.engine)
    stored = opened.backups.stored()
    backups = stored.backups()
    state = opened.recorded.state
    undecided = state is not None and not state.generations.accepted
    everything = Known(backups, (), undecided, memory.done, memory.seen)
    if use is None:
        return everything
    mine = replace(everything, backups=[backup for backup in backups if backup.system == use.system])
    if memory.system not in ("", use.system) and _good(backups, memory.system) and not _good(backups, use.system):
        return replace(mine, lost=memory.system)
    memory.note_system(use.system)
    # Asked before the archive is listed: what was archived until then is there.
    archives = [held for held in held_archives(stored, use) if held.system == use.system]
    gaps = [str(gap) for held in archives for gap in held.unhealed]
    if gaps and (reason := _not_to_heal(opened, use, archives)):
        unhealed = f"the archive lacks {gaps[-1]}, and no backup is taken for it: {reason}"
        return replace(mine, unhealed=unhealed)
    return replace(mine, gaps=gaps)


def _good(backups: Sequence[Backup], system: str) -> bool:
    """Whether one is a physical backup of this cluster that can be restored."""
    return any(each.system == system for each in restorable(backups))


def _not_to_heal(opened: Opened, use: ArchiveUse, archives: Sequence[Held]) -> str:
    """Why a full backup would make it worse now, empty where it would not: what made the gap goes on."""
    if use.failing:
        return "archiving still fails"
    if not all(passed(gap, held.archive.segments()) for held in archives for gap in held.unhealed):
        return "nothing was archived behind it yet"
    folder = opened.backups.stored().folder
    try:
        if folder is not None:
            refuse_without_room(opened.engine, folder)
    except StackError:
        return "too little of the disk is free"
    return ""


def _run(
    request: Request, runner: Runner, note: Note, folder: Path, settings: BackupSettings, memory: Memory
) -> NoReturn:
    def beat() -> None:
        (memory.folder / BEAT).touch()

    def run(task: Task) -> int:
        argv = [sys.executable, "-m", "stackctl", "--project", str(folder), *task.words]
        return runner.attend(argv, beat)

    def look() -> Known:
        return known(open_backups(request, runner), memory)

    scheduled, store = jobs(settings.schedule), settings.pgbackrest and settings.pgbackrest.remote
    loop = Loop(scheduled, look, run, MachineClock(), note, memory)
    note(f"the schedule: {', '.join(f'{job.name} {job.expression}' for job in scheduled)}")
    while True:
        beat()
        if not loop.turn():
            for _ in range(_TURNS_OF_A_STORE if store else 1):
                beat()
                time.sleep(_TURN_SECONDS)
                if loop.tries_again():
                    break


def _in_force(folder: Path) -> BackupSettings:
    """The section that `up` put in force, where it rendered one, else that of the folder's own file."""
    rendered = Project("", folder).rendered / FOLDER / PROJECT_FILE
    file = rendered if rendered.exists() else folder / PROJECT_FILE
    found = backup_settings(load_section(file, SECTION).keys, folder)
    if not found.schedule:
        raise ProfileError(f"{file}: backup.schedule has no jobs", hint="write such as schedule: {full: 15 2 * * *}")
    return found
