"""The receiver of WAL: what it keeps in the repository, and its slot, which `up` drops where it is gone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from stackctl.backup.tail import Tail
from stackctl.backup.wal_name import segment_of
from stackctl.engine.base import Engine
from stackctl.errors import EngineFailed
from stackctl.operations.result import Block, Table
from stackctl.sizing.wal import RECEIVER
from stackctl.units import Bytes, human

_DROP = f"""
SELECT slot_name, CASE WHEN NOT active THEN pg_drop_replication_slot(slot_name)::text END AS dropped
FROM pg_replication_slots WHERE slot_name = '{RECEIVER}'
"""  # noqa: S608 - a name of ours
_SECONDS = 20.0


def drop_slot(engine: Engine) -> None:
    """Drop the slot, if there is one, once its receiver has gone. Raises EngineFailed where that stays."""
    deadline = time.monotonic() + _SECONDS
    while any(row["dropped"] is None for row in engine.query(_DROP)):
        if time.monotonic() > deadline:
            raise EngineFailed(
                f"the slot {RECEIVER} is still in use, and keeps WAL for nobody",
                hint="who receives from this server? SELECT * FROM pg_stat_replication",
            )
        time.sleep(0.2)


def tail_data(tails: Mapping[str, Tail]) -> list[dict[str, Any]]:
    """What was received of each cluster and is not archived, for `--json`; `end` is the first byte not there."""
    found = []
    for system, tail in tails.items():
        if end := tail.end():
            segments, (timeline, position) = len(tail.segments()), end
            row = {"system": system, "path": str(tail.folder), "segments": segments, "bytes": tail.size()}
            found.append({**row, "timeline": timeline, "end": str(position), "last": segment_of(*end).name})
    return found


def tail_table(tails: Sequence[dict[str, Any]]) -> list[Block]:
    """The same for people."""
    rows = [[t["system"], str(t["segments"]), human(Bytes(t["bytes"])), t["last"], t["end"]] for t in tails]
    return [Table(["cluster", "whole", "on disk", "newest", "to"], rows, "Tail")] if rows else []
