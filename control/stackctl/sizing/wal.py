"""WAL and checkpoints, sized from the workload or the WAL rate, and bounded by the disk."""

from __future__ import annotations

from stackctl.errors import Problem
from stackctl.hardware.model import Backlog, Build, HardwareProfile, Wal, Workload
from stackctl.sizing.ledger import Ledger
from stackctl.units import GIB, MIB, TIB, Bytes, floor_to, human, pg_size

SEGMENT = 16 * MIB
# Files of WAL that no disk holds.
_NEVER = 10**9
_MAX_WAL = {Workload.WEB: 4, Workload.OLTP: 8, Workload.MIXED: 8, Workload.OLAP: 16, Workload.DEV: 1}
_SOURCE = "requirement S4"
# What only a stack has: the files for other servers leave it out.
ARCHIVING = "Archiving"
# Its name among the standbys, and that of its slot.
RECEIVER = "stackctl_receiver"
_COMPLETION = "checkpoint_completion_target"


def enter(ledger: Ledger, profile: HardwareProfile, build: Build) -> int:
    """Enter the WAL settings; gives back max_wal_senders."""
    ledger.topic("WAL and checkpoints")
    ledger.set("checkpoint_timeout", "15min", "fewer full-page images; recovery replays up to twice as much", _SOURCE)
    ledger.set(_COMPLETION, "0.9", "spreads a checkpoint's writes", _SOURCE)
    _enter_sizes(ledger, profile)
    _enter_compression(ledger, build)
    level = ledger.set("wal_level", "replica", "base backups and archiving need it", _SOURCE)
    _enter_archiving(ledger, profile, level.lower() != "minimal")
    ledger.topic("WAL and checkpoints")
    least = 3 if profile.wal is Wal.ARCHIVE else 4
    return ledger.count(
        "max_wal_senders",
        5 if ledger.number("max_connections") >= 50 else least,
        "a backup takes two, a receiver one",
        _SOURCE,
    )


def archive_bound(profile: HardwareProfile) -> int:
    """Files of WAL that may wait for an archive that cannot be reached: three tenths of the disk, at least two.

    A slot holds the same files, so that both together take no more.
    """
    return max(profile.disk * 3 // 10 // SEGMENT, 2)


def archive_reserve(profile: HardwareProfile) -> Bytes:
    """Bytes that the archive and what waits for it leave free: a twentieth of the disk, at most 8 GiB."""
    return Bytes(min(profile.disk // 20, 8 * GIB))


def backlog_bounds(profile: HardwareProfile) -> tuple[int, int]:
    """When WAL that cannot be archived is given up: above so many files, and below so many kB left on the disk."""
    if profile.backlog is Backlog.KEEP:
        return _NEVER, 0
    return archive_bound(profile), archive_reserve(profile) // 1024


def checkpoint_volume(ledger: Ledger) -> float:
    """Bytes of WAL after which a checkpoint starts: max_wal_size / (1 + checkpoint_completion_target).

    Source: PostgreSQL's CalculateCheckpointSegments.
    """
    return ledger.number("max_wal_size") / (1 + _target(ledger))


def warnings(ledger: Ledger, profile: HardwareProfile) -> list[Problem]:
    """Told where the disk cannot hold the WAL that the given rate writes between two timed checkpoints."""
    rate, timeout = profile.wal_rate, ledger.number("checkpoint_timeout") / 1000
    if not rate or checkpoint_volume(ledger) >= rate * timeout:
        return []
    minutes = checkpoint_volume(ledger) / rate / 60
    size = f"max_wal_size {ledger.value('max_wal_size')}"
    return [
        Problem(
            "checkpoints_forced",
            f"at {human(rate)}/s of WAL, {size} starts a checkpoint every {minutes:.1f} min, not {timeout / 60:g}",
            _enough(ledger, profile),
        )
    ]


def _enough(ledger: Ledger, profile: HardwareProfile) -> str:
    needed = _needed(ledger, profile)
    if ledger.pinned("max_wal_size") and needed * 5 <= profile.disk:
        return f"max_wal_size {pg_size(needed)} would do; the disk holds it"
    return f"a disk of {human(needed * 5)} would hold enough (--disk)"


def _target(ledger: Ledger) -> float:
    return float(ledger.value(_COMPLETION))


def _needed(ledger: Ledger, profile: HardwareProfile) -> int:
    """Bytes of max_wal_size that make checkpoints wait for their timeout at the profile's WAL rate, in segments."""
    needed = profile.wal_rate * ledger.number("checkpoint_timeout") / 1000 * (1 + _target(ledger))
    return -(-int(needed) // SEGMENT) * SEGMENT


def _enter_sizes(ledger: Ledger, profile: HardwareProfile) -> None:
    disk = profile.disk
    if profile.wal_rate:
        wanted = max(_needed(ledger, profile), GIB)
        why = f"{human(profile.wal_rate)}/s of WAL until the checkpoint's timeout, x 1.9; at least stock's 1GB"
    else:
        wanted = _MAX_WAL[profile.workload] * GIB
        rate = wanted / (1 + _target(ledger)) / (ledger.number("checkpoint_timeout") / 1000)
        why = f"checkpoints keep to their timeout below {rate / MIB:.1f} MiB/s of WAL; say yours with --wal-rate"
    bounded = floor_to(min(wanted, disk // 5), SEGMENT)
    if bounded < wanted:
        why = f"a fifth of the disk; {human(wanted)} was wanted"
    ceiling = ledger.memory("max_wal_size", bounded, why, _SOURCE)
    least = Bytes(max(2 * SEGMENT, floor_to(min(ceiling // 4, disk // 20), SEGMENT)))
    ledger.memory("min_wal_size", least, "a quarter of it is kept for reuse", _SOURCE)
    kept = floor_to(min(3 * ceiling, disk * 3 // 10), SEGMENT)
    why = "a slot that nobody reads may hold this much, then it is invalidated; at most 3/10 of the disk"
    ledger.memory("max_slot_wal_keep_size", kept, why, _SOURCE)
    # 2 TB is more than the parameter takes.
    spill = floor_to(min(disk // 20, TIB), MIB)
    ledger.memory("temp_file_limit", spill, "one session may spill a twentieth of the disk, at most 1 TB", "Pigsty")


def _enter_archiving(ledger: Ledger, profile: HardwareProfile, possible: bool) -> None:
    ledger.topic(ARCHIVING)
    waiting = archive_bound(profile)
    why = f"at most {waiting} files wait, 3/10 of the disk, and {human(archive_reserve(profile))} of it stay free"
    if profile.backlog is Backlog.KEEP:
        why = "what cannot be archived waits until the disk is full, which stops the server (backup.backlog: keep)"
    if not possible:
        why = "wal_level minimal has nothing to archive"
    on = "on" if possible else "off"
    ledger.set("archive_mode", on, why, "requirement B2")
    ledger.set("archive_timeout", "60s", "a lost disk costs the commits of a minute, on an idle server too", "B2")
    ledger.set(
        "summarize_wal",
        on,
        "incremental backups need it; reading its own WAL takes a tenth to a quarter of a bulk load",
        "requirement B1, measured",
    )
    if profile.wal is Wal.SYNC:
        why = "a commit is confirmed once the receiver has it on its disk (backup.wal: sync)"
        ledger.set("synchronous_standby_names", RECEIVER, why, "requirement B2")


def _enter_compression(ledger: Ledger, build: Build) -> None:
    method = "lz4" if build.lz4 else "zstd" if build.zstd else "off"
    why = {
        "lz4": "a fifth of the WAL after a checkpoint; zstd saves more, and doubles the CPU time of an index build",
        "zstd": "the build lacks lz4, which would cost less CPU time",
        "off": "pglz, all this build has, costs more than it saves: 3.5 times the CPU time of an index build",
    }
    ledger.set("wal_compression", method, why[method], _SOURCE)
