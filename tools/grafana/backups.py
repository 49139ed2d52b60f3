"""The panels on backups and their archive: whether what is committed can be had back."""

from __future__ import annotations

from typing import Any

from grafana.limits import Json
from grafana.marks import ANY, ANY_IS_BAD, BACKUP_AGE, DRILL_AGE, REPOSITORY, RESTORE_LOSS, RESTORE_TIME, WAL_WAITING
from grafana.panels import Column, Line, Query, Words, stat, table, timeseries
from grafana.promql import PHYSICAL, age, backups_are, grown, series, total

_GAPS = "stackctl_archive_gaps"


def _newest(name: str) -> str:
    return f"max by (kind) ({series(f'stackctl_backup_{name}')})"


def newest_backup(**more: Any) -> Json:
    """The panel, on whichever dashboard; `more` goes to `stat`."""
    return stat(
        Words(
            "Newest backup",
            "Age of the newest good backup; a dump is none. A daily one is late after 26 hours.",
            "`stackctl backup status` says what is late and why; `stackctl backup` takes one.",
        ),
        age("stackctl_backup_timestamp_seconds", PHYSICAL),
        "s",
        BACKUP_AGE,
        idle=backups_are("none yet"),
        **more,
    )


def last_trial(**more: Any) -> Json:
    """The panel, on whichever dashboard; `more` goes to `stat`."""
    return stat(
        Words(
            "Last trial restore",
            "Whether the last drill got the data back.",
            "FAILED: the backups may be worth nothing. `stackctl backup verify`, then a new `stackctl backup`.",
        ),
        f"min({series('stackctl_drill_passed')})",
        "none",
        says={"1": ("passed", "green"), "0": ("FAILED", "red")},
        idle=backups_are("none yet"),
        **more,
    )


BACKUPS = Line(
    4,
    (
        newest_backup(),
        stat(
            Words(
                "Late jobs",
                "Work on backups that was not done when it was due.",
                "`stackctl backup status` names it; `stackctl logs scheduler` says why.",
            ),
            f"sum({series('stackctl_backup_job_late')})",
            "none",
            ANY,
            idle=backups_are("no schedule"),
        ),
        stat(
            Words(
                "Damaged backups",
                "Backups that verification found to be broken.",
                "Take a new one now: `stackctl backup`. Then look at the repository's disk.",
            ),
            f"sum({series('stackctl_backups', status='damaged')})",
            "none",
            ANY_IS_BAD,
        ),
        stat(
            Words(
                "All backups read",
                "Time since every byte of every backup was last known to be right.",
                "`stackctl backup verify` reads them now.",
            ),
            age("stackctl_backup_verified_timestamp_seconds"),
            "s",
            DRILL_AGE,
            idle=backups_are("none yet"),
        ),
        last_trial(),
        stat(
            Words(
                "Since that trial",
                "Age of the last drill. A backup that was never restored is a hope.",
                "`stackctl backup drill` does one now.",
            ),
            age("stackctl_drill_timestamp_seconds"),
            "s",
            DRILL_AGE,
            idle=backups_are("none yet"),
        ),
    ),
)
RECOVERY = Line(
    4,
    (
        stat(
            Words(
                "A restore takes",
                "How long the last drill took, from its start to a checked database.",
                "Too long: back up more often, so that less WAL is replayed, or use a faster disk.",
            ),
            f"max({series('stackctl_drill_rto_seconds')})",
            "s",
            RESTORE_TIME,
            idle=backups_are("none yet"),
        ),
        stat(
            Words(
                "A restore lacks",
                "How much of the latest work the last drill did not get back.",
                "More than a minute: `backup.wal: stream` receives WAL as it is written.",
            ),
            f"max({series('stackctl_drill_rpo_seconds')})",
            "s",
            RESTORE_LOSS,
            idle=backups_are("none yet"),
        ),
        stat(
            Words(
                "Gaps in the archive",
                "Segments that are missing and that no later backup makes up for: no restore goes past the first.",
                "`stackctl wal verify` names them; a full backup ends the gap: `stackctl backup`.",
            ),
            f"sum({series(_GAPS, state='open')})",
            "none",
            ANY_IS_BAD,
        ),
        stat(
            Words(
                "WAL to archive",
                "Segments of 16 MiB that wait for the archive.",
                "`stackctl wal status` says what hinders it.",
            ),
            f"max({series('stackctl_archive_waiting_files')})",
            "none",
            WAL_WAITING,
        ),
        stat(
            Words(
                "Archiving",
                "Whether the last attempt to archive a segment went well.",
                "FAILING: `stackctl wal status`; most often a full disk or a repository that is not mounted.",
            ),
            f"max({series('stackctl_archive_failing')})",
            "none",
            says={"0": ("works", "green"), "1": ("FAILING", "red")},
        ),
        stat(
            Words(
                "Room for backups",
                "Free space on the disk of the repository.",
                "`stackctl backup expire`, a shorter retention, or a larger disk.",
            ),
            f"min({series('stackctl_repository_free_bytes')})",
            "bytes",
            REPOSITORY,
            idle=backups_are("object store"),
        ),
    ),
)
KINDS = Line(
    7,
    (
        table(
            Words(
                "Backups by kind",
                "The newest good one of each kind. An incremental one needs those before it.",
                "`stackctl backup list` has all of them.",
            ),
            {"kind": "Kind"},
            [
                Column("Age", f"time() - {_newest('timestamp_seconds')}", "s"),
                Column("Size", _newest("size_bytes"), "bytes"),
                Column("Took", _newest("duration_seconds"), "s"),
                Column("Kept", total("kind", f"{series('stackctl_backups', status='ok')} > 0"), "none"),
            ],
            "Kept",
        ),
        timeseries(
            Words(
                "WAL that waits for the archive",
                "Segments of 16 MiB that are finished and not yet archived.",
                "A line that only rises fills the database's disk: `stackctl wal status`.",
            ),
            [Query(f"max({series('stackctl_archive_waiting_files')})", "waiting")],
            "none",
            WAL_WAITING,
        ),
        timeseries(
            Words(
                "Segments archived",
                "Attempts that went well and that failed, in the window before each point.",
                "Failed ones repeat until they succeed; `stackctl logs postgres` has the reason.",
            ),
            [Query(total("", grown(f"pg_stat_archiver_{name}_count")), name) for name in ("archived", "failed")],
            "none",
        ),
    ),
)
