"""Backups by PostgreSQL's own programs: plain files that its own programs restore."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stackctl.backup.follow import Follower, following
from stackctl.backup.guide import GUIDE, guide
from stackctl.backup.model import Backup, Kind
from stackctl.backup.plain_file import content
from stackctl.backup.progress import Progress
from stackctl.backup.repository import DATA, Repository
from stackctl.backup.retention import ancestors, restorable
from stackctl.backup.wal_name import lsn
from stackctl.engine.base import Note, Programs
from stackctl.errors import BackupFailed, NothingToBuildOn, StackError

MANIFEST = "backup_manifest"
# A line of some 150 bytes for each file: seven million files.
_LONGEST_MANIFEST = 2**30
_HOURS = 3600.0
# The server's words where what it noted of the changes since the earlier backup is gone.
_UNSUMMARIZED = "WAL summaries are required"

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Cluster:
    """What is backed up: its identifier, the major version, the timeline, whether it notes what changes, its size."""

    system: str
    postgres: int
    timeline: int
    summarizes: bool = False
    bytes: int = 0


def take_full(repository: Repository, programs: Programs, cluster: Cluster, clock: Clock, note: Note) -> Backup:
    """Copy all files of the running server, with the WAL that makes them consistent, and verify the copy.

    Raises BackupFailed; what was copied until then is removed.
    """
    return _take(repository, programs, cluster, None, clock, note)


def take_incremental(repository: Repository, programs: Programs, cluster: Cluster, clock: Clock, note: Note) -> Backup:
    """Copy what changed since the newest good backup, and verify the copy.

    Raises BackupFailed; NothingToBuildOn where a full one can be taken.
    """
    if cluster.postgres < 17:
        raise NothingToBuildOn(
            f"PostgreSQL {cluster.postgres} has no incremental backups; 17 is the first that has",
            hint="stackctl backup takes a full one",
        )
    if not cluster.summarizes:
        raise NothingToBuildOn("summarize_wal is off, so nobody knows what changed", hint="stackctl up turns it on")
    by_id = {backup.id: backup for backup in repository.backups()}
    parents = [each for each in restorable(list(by_id.values())) if _fits(each, cluster)]
    if not parents:
        raise NothingToBuildOn("there is no good backup to build on", hint="stackctl backup takes a full one")
    return _take(repository, programs, cluster, parents[-1], clock, note)


def _fits(parent: Backup, cluster: Cluster) -> bool:
    """A restored server knows what changed since it began its timeline, and not what changed before."""
    mine = (cluster.system, cluster.postgres, cluster.timeline)
    return (parent.system, parent.postgres, parent.timeline) == mine


def _take(
    repository: Repository, programs: Programs, cluster: Cluster, parent: Backup | None, clock: Clock, note: Note
) -> Backup:
    started, kind = clock(), Kind.INCREMENTAL if parent else Kind.FULL
    with repository.working(kind, started) as (identifier, folder):
        data = folder / DATA
        programs.claim(data)
        base, folders = [], [data]
        if parent is not None:
            before = repository.path(parent.id) / DATA
            base, folders = [f"--incremental={before / MANIFEST}"], [data, before]
        note(f"copying to {repository.path(identifier)}" + (f", what changed since {parent.id}" if parent else ""))
        label = ("--label", identifier, "--pgdata", str(data))
        with following(data, Progress(note, 0 if parent else cluster.bytes).told) as follower:
            _run(programs, "pg_basebackup", *programs.login(), *_OPTIONS, *base, *label, folders=folders)
        note("verifying the copy")
        # Every byte was read and compared with the manifest; what is left are the manifest itself and the WAL.
        known = _compared(follower, data)
        _run(programs, "pg_verifybackup", "--skip-checksums", str(data), folders=[data])
        chain = [each.id for each in reversed(_chain(repository, parent))]
        (folder / GUIDE).write_text(guide(identifier, cluster.postgres, cluster.system, chain))
        described = _described(identifier, data, cluster, started, clock())
        return repository.finish(folder, replace(described, kind=kind, parent=parent.id if parent else None), known)


def _compared(follower: Follower, data: Path) -> dict[str, str]:
    """Checksums by path in the backup of all files that the manifest lists. Raises BackupFailed where one differs."""
    try:
        digests, wrong = follower.finish(content(data / MANIFEST, _LONGEST_MANIFEST))
    except (OSError, ValueError) as error:
        raise BackupFailed(f"{data}: {error}", hint="take the backup again") from error
    if wrong:
        raise BackupFailed(f"{wrong[0]} is not as the server sent it", hint="check the disk; take the backup again")
    return {f"{DATA}/{path}": digest for path, digest in digests.items()}


def _chain(repository: Repository, parent: Backup | None) -> list[Backup]:
    """What a new backup is built on, nearest first."""
    if parent is None:
        return []
    return [parent, *ancestors(parent, {backup.id: backup for backup in repository.backups()})]


def _described(identifier: str, data: Path, cluster: Cluster, started: datetime, finished: datetime) -> Backup:
    span = wal_span(data / MANIFEST)
    return Backup(
        id=identifier,
        kind=Kind.FULL,
        engine="native",
        started_at=started,
        finished_at=finished,
        bytes=0,
        postgres=cluster.postgres,
        system=cluster.system,
        checksums="",
        timeline=span["Timeline"],
        wal_start=lsn(span["Start-LSN"]),
        wal_stop=lsn(span["End-LSN"]),
        verified_at=finished,
    )


_OPTIONS = ("--format=plain", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=CRC32C")


def wal_span(manifest: Path) -> Mapping[str, Any]:
    """`Timeline`, `Start-LSN` and `End-LSN` of the WAL that a backup needs. Raises BackupFailed."""
    try:
        (span,) = json.loads(content(manifest, _LONGEST_MANIFEST))["WAL-Ranges"]
    except (OSError, ValueError, KeyError) as error:
        raise BackupFailed(f"{manifest}: {error}", hint="take the backup again") from error
    found: Mapping[str, Any] = span
    return found


def _run(programs: Programs, program: str, *arguments: str, folders: Sequence[Path]) -> None:
    try:
        programs.run(program, *arguments, folders=folders, timeout=24 * _HOURS)
    except StackError as error:
        kind = NothingToBuildOn if _UNSUMMARIZED in str(error) else BackupFailed
        raise kind(str(error), hint=f"{error.hint}; earlier backups are as they were") from error
