"""Facts that probes collect, and what the checks make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.health.archiving import ArchiveUse
from stackctl.health.drift import Drift, Pending
from stackctl.health.pool import PoolUse
from stackctl.health.receiving import ReceiverUse
from stackctl.health.running import FileLine, Running
from stackctl.health.vacuuming import VacuumUse


class Status(StrEnum):
    """Outcome of one check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Check:
    """One question about the stack: its answer, the evidence, and what to do."""

    id: str
    status: Status
    evidence: str
    hint: str = ""


def backup_place(beside_data: bool | None) -> Check:
    """Whether one failure takes data and backups together."""
    if beside_data is None:
        return Check("backup_place", Status.SKIP, "not known")
    if beside_data:
        hint = "set backup.repository to another disk, and copy backups to another machine"
        return Check("backup_place", Status.WARN, "backups are on the disk of the data", hint)
    return Check("backup_place", Status.OK, "backups are on a disk of their own")


@dataclass(frozen=True)
class Facts:
    """What was measured. None means that it could not be.

    `drift` is what `up` leaves as it is, `drifted` what it would change. `longest_query_by` and `idle_transaction_by`
    say which sessions are meant, and on whom they wait. `damaged_pages` are failed checksums by database.
    """

    services: Mapping[str, str] = field(default_factory=dict)
    connections: int | None = None
    max_connections: int = 0
    app_connections: int = 0
    app_limit: int = 0
    pool: PoolUse | None = None
    longest_query_seconds: float | None = None
    longest_query_by: str = ""
    longest_idle_transaction_seconds: float | None = None
    idle_transaction_by: str = ""
    dead_tuples: Sequence[tuple[str, int, int]] = ()
    vacuum: VacuumUse | None = None
    oldest_transaction_age: int | None = None
    damaged_pages: Mapping[str, int] = field(default_factory=dict)
    running: Running | None = None
    pending_restart: Sequence[Pending] = ()
    refused: Sequence[FileLine] = ()
    drift: Sequence[Drift] = ()
    drifted: Sequence[str] = ()
    drift_unknown: str = ""
    archive: ArchiveUse | None = None
    receiver: ReceiverUse | None = None
    disk_free: int | None = None
    disk_total: int | None = None
    ballast: int | None = None
    backups_beside_data: bool | None = None
