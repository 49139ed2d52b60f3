"""One look at the backups, and at the archive that the server fills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric

from stackctl.backup.considered import of_cluster
from stackctl.backup.metrics import Archiver, Seen, Stored, archiver, families, lateness
from stackctl.backup.model import Backup
from stackctl.engine.watch import Watch
from stackctl.hardware.detect import free_disk
from stackctl.health.archiving import ARCHIVING, ArchiveUse, archive_use
from stackctl.operations.archives import Held, held_archives
from stackctl.operations.backup import Opened
from stackctl.operations.backups.schedule import late, machine_zone
from stackctl.settings.backup import BackupSettings
from stackctl.settings.schedule import Job, jobs


@dataclass
class Archive:
    """What was said last: by the server, which cluster runs and what it archived; by the repository, what it holds."""

    watch: Watch
    use: ArchiveUse | None = None
    scheduled: Sequence[Job] = ()
    found: Seen | None = None

    def collect(self) -> Iterator[Metric]:
        """How the archiver keeps up."""
        self.use = archive_use(self.watch.query(ARCHIVING)[0])
        yield from archiver(Archiver(self.use.waiting, self.use.failing, self.use.seconds))

    def backups(self, opened: Callable[[], Opened]) -> Iterator[Metric]:
        """What the repository holds."""
        project = opened()
        return self._learnt(project.settings, seen(project, self.use))

    def noted(self, settings: BackupSettings, backups: Sequence[Backup]) -> Iterator[Metric]:
        """What was written down of a repository that cannot be looked into from here: its backups, and no archive."""
        return self._learnt(settings, Seen(of_cluster(backups, self.use.system if self.use else None), None, None))

    def _learnt(self, settings: BackupSettings, found: Seen) -> Iterator[Metric]:
        self.scheduled, self.found = jobs(settings.schedule), found
        return families(found, datetime.now(UTC))

    def late(self) -> Iterator[Metric]:
        """Which jobs are late by now: one may become so while nobody can read the repository."""
        if self.found is not None:
            overdue = late(self.scheduled, self.found.backups, datetime.now(machine_zone()))
            yield from lateness({job.name: job in overdue for job in self.scheduled if job.name != "expire"})


def seen(opened: Opened, use: ArchiveUse | None) -> Seen:
    """One look at the repository. Where the server has answered, only its own cluster's backups count."""
    stored = opened.backups.stored()
    backups = of_cluster(stored.backups(), use.system if use else None)
    archives: list[Held] = []
    if use is not None:
        archives = [held for held in held_archives(stored, use) if held.system == use.system]
    free = None if stored.folder is None else free_disk(stored.folder)
    return Seen(backups, _stored(archives[0]) if archives else None, free)


def _stored(held: Held) -> Stored:
    files, size = held.archive.usage()
    return Stored(files, size, len(held.gaps), len(held.gaps) - len(held.unhealed))
