"""WAL and checkpoints, sized from the workload and bounded by the disk."""

from __future__ import annotations

from stackctl.hardware.model import Build, HardwareProfile, Workload
from stackctl.sizing.ledger import Ledger
from stackctl.units import GIB, MIB, Bytes, floor_to

SEGMENT = 16 * MIB
_MAX_WAL = {Workload.WEB: 4, Workload.OLTP: 8, Workload.MIXED: 8, Workload.OLAP: 16, Workload.DEV: 1}


def enter(ledger: Ledger, profile: HardwareProfile, build: Build) -> int:
    """Enter the WAL settings; gives back max_wal_senders."""
    ledger.topic("WAL and checkpoints")
    _enter_sizes(ledger, profile)
    ledger.set(
        "checkpoint_timeout",
        "15min",
        "fewer full-page images; recovery replays at most this much",
        "requirement S4",
    )
    ledger.set("checkpoint_completion_target", "0.9", "spreads a checkpoint's writes", "requirement S4")
    method = "zstd" if build.zstd and profile.workload is Workload.OLAP else "lz4" if build.lz4 else "off"
    why = (
        "pglz, all this build has, costs more than it saves"
        if method == "off"
        else f"{method} is the best this build has"
    )
    ledger.set("wal_compression", method, why, "requirement S4")
    ledger.set("wal_level", "replica", "base backups and archiving need it", "requirement S4")
    senders = 5 if profile.ram >= 4 * GIB else 3
    return ledger.count("max_wal_senders", senders, "a backup takes two, a receiver one", "requirement S4")


def _enter_sizes(ledger: Ledger, profile: HardwareProfile) -> None:
    disk = profile.disk
    largest = floor_to(min(_MAX_WAL[profile.workload] * GIB, disk // 5), SEGMENT)
    ceiling = ledger.memory(
        "max_wal_size",
        largest,
        "at most a fifth of the disk; a checkpoint starts at about half of it",
        "requirement S4",
    )
    ledger.memory(
        "min_wal_size",
        Bytes(max(2 * SEGMENT, floor_to(ceiling // 4, SEGMENT))),
        "segments kept for reuse",
        "requirement S4",
    )
    ledger.memory(
        "wal_buffers", Bytes(16 * MIB if profile.ram >= 2 * GIB else 4 * MIB), "one segment", "requirement S4"
    )
    kept = floor_to(min(3 * ceiling, disk * 3 // 10), SEGMENT)
    ledger.memory(
        "max_slot_wal_keep_size",
        kept,
        "a slot that nobody reads may hold this much, then it is dropped",
        "requirement S4",
    )
    spill = floor_to(disk // 20, MIB)
    ledger.memory("temp_file_limit", spill, "one session may spill a twentieth of the disk", "pigsty")
