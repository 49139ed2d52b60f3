"""How the archive keeps up, as the server tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ARCHIVING = """
SELECT current_setting('archive_mode') AS mode, archived_count AS archived, last_archived_wal AS last,
       extract(epoch FROM now() - last_archived_time)::float AS seconds, failed_count AS failed,
       last_failed_wal AS last_failed, extract(epoch FROM now() - last_failed_time)::float AS failed_seconds,
       (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready') AS waiting,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       pg_current_wal_lsn()::text AS position
FROM pg_stat_archiver
"""


@dataclass(frozen=True)
class ArchiveUse:
    """The archiver's own counts; `seconds` since it last archived and last failed, None for never."""

    mode: str
    archived: int
    last: str | None
    seconds: float | None
    failed: int
    last_failed: str | None
    failed_seconds: float | None
    waiting: int
    system: str
    position: str

    @property
    def failing(self) -> bool:
        """Whether its last attempt failed."""
        if self.failed_seconds is None:
            return False
        return self.seconds is None or self.failed_seconds < self.seconds

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "failing": self.failing}


def archive_use(row: Mapping[str, Any]) -> ArchiveUse:
    """The row that ARCHIVING gives."""
    return ArchiveUse(**row)
