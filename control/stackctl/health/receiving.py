"""How the receiver of WAL keeps up, as the server tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stackctl.sizing.wal import RECEIVER

RECEIVING = f"""
SELECT current_setting('synchronous_standby_names') <> '' AS synchronous, slot.wal_status AS slot,
       sender.state AS state, sender.flush_lsn::text AS position,
       pg_wal_lsn_diff(pg_current_wal_flush_lsn(), sender.flush_lsn)::bigint AS behind,
       (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep') AS waiting,
       (SELECT extract(epoch FROM max(clock_timestamp() - query_start))::float
        FROM pg_stat_activity WHERE wait_event = 'SyncRep') AS longest
FROM (SELECT '{RECEIVER}' AS name) AS receiver
LEFT JOIN pg_replication_slots AS slot ON slot.slot_name = name
LEFT JOIN pg_stat_replication AS sender ON sender.pid = slot.active_pid
"""  # noqa: S608 - a name of ours
_CONNECTED = ("streaming", "catchup")


@dataclass(frozen=True)
class ReceiverUse:
    """What its slot and its connection are like. `behind` is in bytes.

    `waiting` is the number of commits that wait for it, the `longest` for so many seconds.
    """

    synchronous: bool
    slot: str | None
    state: str | None
    position: str | None
    behind: int | None
    waiting: int
    longest: float | None

    @property
    def connected(self) -> bool:
        """Whether it receives."""
        return self.state in _CONNECTED

    def as_data(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "connected": self.connected}


def receiver_use(row: Mapping[str, Any]) -> ReceiverUse:
    """The row that RECEIVING gives."""
    return ReceiverUse(**row)
