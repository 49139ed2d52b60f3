"""What pgBackRest takes of the database's container, beside the server: so many workers, and their memory."""

from __future__ import annotations

from stackctl.hardware.model import HardwareProfile
from stackctl.sizing.budget import database_share
from stackctl.sizing.model import MemoryItem
from stackctl.units import MIB, Bytes

# Private memory, measured with pgBackRest 2.55 and zst: 11 MiB for one that packs; 5 MiB go to a store at a time.
WORKER = 16 * MIB
# The command of a backup, and both of archiving: 8 MiB were measured, the rest is a list of some 30,000 files.
COMMANDS = 24 * MIB
# A backup has its workers, and so has what sends WAL.
_KINDS = 2
_MOST = 1 / 16


def workers(profile: HardwareProfile) -> int:
    """Workers of one command: half of the CPUs, as many as a sixteenth of PostgreSQL's share is for; at least one."""
    return max(1, min(profile.cpus // 2, int(database_share(profile) * _MOST) // (_KINDS * WORKER)))


def memory_items(profile: HardwareProfile) -> tuple[MemoryItem, ...]:
    """One item where it takes the backups. Not rounded to whole workers: with more RAM, nothing else shrinks."""
    if not profile.pgbackrest:
        return ()
    packing = max(_KINDS * WORKER, min(_KINDS * WORKER * (profile.cpus // 2), database_share(profile) * _MOST))
    formula = f"{COMMANDS // MIB}MB + {_KINDS} x {workers(profile)} workers x {WORKER // MIB}MB, or a 16th of the limit"
    return (MemoryItem("pgbackrest", Bytes(int(COMMANDS + packing)), Bytes(COMMANDS), formula),)
