"""Backups by PostgreSQL's own programs: plain files that its own programs restore."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stackctl.backup.model import Backup, Kind
from stackctl.backup.repository import DATA, Repository
from stackctl.backup.wal_name import lsn
from stackctl.engine.base import Note, Programs
from stackctl.errors import BackupFailed, StackError

MANIFEST = "backup_manifest"
_HOURS = 3600.0
_GUIDE = "RESTORE.txt"

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Cluster:
    """What is backed up: its identifier, and the server's major version."""

    system: str
    postgres: int


def take_full(repository: Repository, programs: Programs, cluster: Cluster, clock: Clock, note: Note) -> Backup:
    """Copy all files of the running server, with the WAL that makes them consistent, and verify the copy.

    Raises BackupFailed; what was copied until then is removed.
    """
    started = clock()
    with repository.working(Kind.FULL, started) as (identifier, folder):
        data = folder / DATA
        programs.claim(data)
        note(f"copying to {repository.path(identifier)}")
        label = ("--label", identifier, "--pgdata", str(data))
        _run(programs, "pg_basebackup", *programs.login(), *_OPTIONS, *label, folder=data)
        note("verifying the copy")
        _run(programs, "pg_verifybackup", str(data), folder=data)
        (folder / _GUIDE).write_text(_guide(identifier, cluster))
        return repository.finish(folder, _described(identifier, data, cluster, started, clock()))


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
        (span,) = json.loads(manifest.read_bytes())["WAL-Ranges"]
    except (OSError, ValueError, KeyError) as error:
        raise BackupFailed(f"{manifest}: {error}", hint="take the backup again") from error
    found: Mapping[str, Any] = span
    return found


def _run(programs: Programs, program: str, *arguments: str, folder: Path) -> None:
    try:
        programs.run(program, *arguments, folders=[folder], timeout=24 * _HOURS)
    except StackError as error:
        raise BackupFailed(str(error), hint=f"{error.hint}; earlier backups are as they were") from error


def _guide(identifier: str, cluster: Cluster) -> str:
    return f"""Restore {identifier} with PostgreSQL {cluster.postgres} alone

1. Check that every byte is as it was written:      sha256sum --check checksums.txt
2. Copy data/ to where the server will have it, owned by its account, mode 0700.
3. As it is, the server starts with the state at the end of this backup.
   To go on from there, add to postgresql.auto.conf of the copy:
       restore_command = 'cp WAL/%f-* %p'           WAL is wal/{cluster.system} of this repository
       recovery_target_time = '2026-03-01 12:00:00+00'    or leave it out for everything there is
   and make an empty file recovery.signal beside it.
4. Start PostgreSQL {cluster.postgres}: pg_ctl -D THE-COPY start
"""
