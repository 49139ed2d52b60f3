"""What Prometheus is told of backups. Pure; times are Unix seconds, and what never was has no sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily

from stackctl.backup.considered import past
from stackctl.backup.drilled import last_drill
from stackctl.backup.model import Backup, Kind, Status
from stackctl.backup.retention import restorable

_NEWEST = {
    "timestamp_seconds": "When the newest good backup of this kind was finished",
    "size_bytes": "Size of the newest good backup of this kind",
    "duration_seconds": "How long the newest good backup of this kind took",
}


@dataclass(frozen=True)
class Stored:
    """What the archive of the running cluster holds and lacks; `healed` gaps have a good backup behind them."""

    files: int
    bytes: int
    gaps: int
    healed: int


@dataclass(frozen=True)
class Archiver:
    """How the server's archiver keeps up. `seconds` since it last archived is None where it never did."""

    waiting: int
    failing: bool
    seconds: float | None


@dataclass(frozen=True)
class Seen:
    """All that one look at a repository found. `free` is None where it is on no disk of this machine."""

    backups: Sequence[Backup]
    stored: Stored | None
    free: int | None


def families(seen: Seen, now: datetime) -> Iterator[GaugeMetricFamily]:
    """All metrics of one look. The values of labels are kinds, states and jobs: their number does not grow.

    A good backup that is dated in the future is not there, as it would stay the newest for as long.
    """
    # By all of them: what a good one is built on may be dated in the future.
    known, good = past(seen.backups, now), past(_good(seen.backups), now)
    yield from _newest(good)
    counts = GaugeMetricFamily("stackctl_backups", "Backups in the repository", labels=["kind", "status"])
    for kind in Kind:
        for status in Status:
            backups = good if status is Status.OK else seen.backups
            found = [each for each in backups if (each.kind, each.status) == (kind, status)]
            counts.add_metric([kind, status], len(found))
    yield counts
    if read := [each.verified_at or each.finished_at for each in known]:
        yield _gauge("backup_verified_timestamp_seconds", "When all backups had been read", min(read).timestamp())
    yield from _drill(known)
    yield from _archive(seen)
    if seen.free is not None:
        yield _gauge("repository_free_bytes", "Free space on the disk of the repository", seen.free)


def lateness(late: Mapping[str, bool]) -> Iterator[GaugeMetricFamily]:
    """Of each scheduled job whether it is not done in time."""
    # Prometheus has a label `job` of its own, and would rename ours.
    words = "Whether a job was not done when it was due"
    family = GaugeMetricFamily("stackctl_backup_job_late", words, labels=["schedule_job"])
    for job, is_late in late.items():
        family.add_metric([job], is_late)
    yield family


def _good(backups: Sequence[Backup]) -> list[Backup]:
    """Those that can be restored, with all that they are built on; nothing is built on a dump."""
    whole = {backup.id for backup in restorable(backups)}
    return [each for each in backups if each.id in whole or (each.kind is Kind.LOGICAL and each.status is Status.OK)]


def _newest(good: Sequence[Backup]) -> Iterator[GaugeMetricFamily]:
    newest = {each.kind: each for each in good}
    for name, words in _NEWEST.items():
        family = GaugeMetricFamily(f"stackctl_backup_{name}", words, labels=["kind"])
        for kind, backup in newest.items():
            family.add_metric([kind], _value(backup, name))
        yield family


def _value(backup: Backup, name: str) -> float:
    if name == "size_bytes":
        return backup.bytes
    if name == "duration_seconds":
        return (backup.finished_at - backup.started_at).total_seconds()
    return backup.finished_at.timestamp()


def _drill(backups: Sequence[Backup]) -> Iterator[GaugeMetricFamily]:
    if (last := last_drill(backups)) is None:
        return
    yield _gauge("drill_timestamp_seconds", "When a backup was last restored for a trial", last.at.timestamp())
    yield _gauge("drill_passed", "Whether that trial passed", not last.failing)
    # What is known of one that failed was measured by an earlier one.
    if last.failing:
        return
    if last.backup.rto_seconds is not None:
        yield _gauge("drill_rto_seconds", "How long that restore took", last.backup.rto_seconds)
    if last.backup.rpo_seconds is not None:
        yield _gauge("drill_rpo_seconds", "How much of the latest work it lacked", last.backup.rpo_seconds)


def _archive(seen: Seen) -> Iterator[GaugeMetricFamily]:
    if seen.stored:
        yield _gauge("archive_files", "Files in the archive of WAL", seen.stored.files)
        yield _gauge("archive_size_bytes", "Disk space of the archive of WAL", seen.stored.bytes)
        gaps = GaugeMetricFamily("stackctl_archive_gaps", "Gaps in the archive of WAL", labels=["state"])
        gaps.add_metric(["open"], seen.stored.gaps - seen.stored.healed)
        gaps.add_metric(["healed"], seen.stored.healed)
        yield gaps


def archiver(told: Archiver) -> Iterator[GaugeMetricFamily]:
    """The server's own word on its archiver."""
    yield _gauge("archive_waiting_files", "Files of WAL that wait to be archived", told.waiting)
    yield _gauge("archive_failing", "Whether the last attempt to archive failed", told.failing)
    if told.seconds is not None:
        yield _gauge("archive_age_seconds", "Seconds since a file was archived", told.seconds)


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"stackctl_{name}", words, value=float(value))
