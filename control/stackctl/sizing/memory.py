"""Memory: buffers, what a vacuum, an index build and a sort may take, so that the worst case fits the container."""

from __future__ import annotations

from dataclasses import replace

from stackctl.hardware.model import HardwareProfile, Workload
from stackctl.sizing.connections import small_work_mem
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import MemoryItem
from stackctl.sizing.proof import Amounts, Counts, items, shared_cost
from stackctl.sizing.report import Report
from stackctl.units import GIB, KIB, MIB, Bytes, floor_power_of_two, floor_to, human

_WORK_MEM_CAP = {
    Workload.WEB: 64 * MIB,
    Workload.OLTP: 64 * MIB,
    Workload.MIXED: 128 * MIB,
    Workload.OLAP: GIB,
    Workload.DEV: 16 * MIB,
}
# What is left out, beside the MiB that the limit may be rounded down by, is for what no model counts.
_USED = 31 / 32
# What a hash may take in stock PostgreSQL: 4MB x 2.0. Buffers leave this much for each operation, and a little, so
# that no rounding brings it down to half of it.
_STOCK_OPERATION = 8 * MIB + 4 * KIB
_LEAST_BUFFERS = 16 * MIB


class Memory:
    """Enters the memory settings for one machine. Sizes that others depend on stay exact until they are written."""

    def __init__(
        self,
        ledger: Ledger,
        profile: HardwareProfile,
        limit: float,
        counts: Counts,
        report: Report,
        pinned: tuple[MemoryItem, ...],
    ) -> None:
        self._ledger = ledger
        self._profile = profile
        self._limit = limit
        self._counts = counts
        self._report = report
        self._pinned = sum(item.size for item in pinned)

    def enter(self) -> Amounts:
        """Enter all memory settings; gives back those in force."""
        self._ledger.topic("Memory")
        fixed = self._fixed()
        shared = self._buffers(fixed)
        self._work_mem(replace(fixed, shared_buffers=shared))
        return self._in_force()

    def _in_force(self) -> Amounts:
        number = self._ledger.number
        return _amounts(
            number("maintenance_work_mem"),
            number("autovacuum_work_mem"),
            number("wal_buffers"),
            floor_to(int(small_work_mem(self._profile.ram)), KIB),
            floor_to(int(session(self._profile.ram)), KIB),
            shared_buffers=number("shared_buffers"),
            work_mem=number("work_mem"),
            report_work_mem=self._report.work_mem(number("work_mem")),
            hash_mem_multiplier=self._ledger.real("hash_mem_multiplier"),
        )

    def _fixed(self) -> Amounts:
        ram, ledger = self._profile.ram, self._ledger
        maintenance = ledger.exact(
            "maintenance_work_mem",
            min(ram / 16, 2 * GIB),
            MIB,
            "a sixteenth of RAM, for index builds and manual vacuum, one at a time",
            "requirement S1",
        )
        vacuum = ledger.exact(
            "autovacuum_work_mem",
            max(4 * MIB, min(maintenance / 4, max(160 * MIB, ram / 256), 256 * MIB)),
            MIB,
            "a quarter of maintenance_work_mem, from 160 MB on 1/256 of RAM: the default -1 would give each all of it",
            "requirement S5",
        )
        wal = ledger.exact(
            "wal_buffers",
            max(MIB, min(self._limit / 64, 16 * MIB)),
            MIB,
            "one segment, and no more than a 64th of PostgreSQL's share",
            "requirement S4",
        )
        why = "a container without an allowance for them dies of SIGBUS; pin on where they are reserved"
        ledger.set("huge_pages", "off", why, "the kernel")
        multiplier = ledger.real("hash_mem_multiplier") if ledger.pinned("hash_mem_multiplier") else 1.0
        report = self._report.pinned or 0
        small = small_work_mem(ram)
        return _amounts(
            maintenance, vacuum, wal, small, session(ram), report_work_mem=report, hash_mem_multiplier=multiplier
        )

    def _room(self, amounts: Amounts) -> float:
        worst = sum(item.size for item in items(amounts, self._counts)) + self._pinned
        return max((self._limit - MIB) * _USED - worst, 0)

    def _each(self, amounts: Amounts) -> float:
        """Bytes of one operation of the app, if all that is left goes to them.

        Where reports have a work_mem of their own, their parallel workers take that, or the app's if it is larger.
        """
        room, counts = self._room(amounts), self._counts
        each = room / counts.operations
        if not counts.report_factor:
            room += counts.reporting * amounts.report_operation
            each = min(each, room / (counts.operations + counts.reporting))
        return each

    def _buffers(self, amounts: Amounts) -> float:
        """shared_buffers: a quarter of RAM, or what the other items and operations as large as stock's leave."""
        ram, room = self._profile.ram, self._room(amounts)
        left = max(room - self._counts.operations * _STOCK_OPERATION, room / 3) / shared_cost(self._counts)
        wanted = min(ram / 4, 8 * GIB)
        size = max(min(wanted, left), _LEAST_BUFFERS)
        shared = self._ledger.exact(
            "shared_buffers",
            size,
            MIB if size < GIB else 16 * MIB,
            "a quarter of RAM, at most 8 GB: beyond that the page cache serves as well and checkpoints grow"
            if wanted <= left
            else "what the other items leave of PostgreSQL's share, less than a quarter of RAM",
            "requirement S1",
        )
        cache = min(ram * 3 / 4, self._limit)
        self._ledger.memory(
            "effective_cache_size",
            floor_to(int(cache), MIB),
            f"{'three quarters of RAM' if cache < self._limit else 'PostgreSQL has no more'}: "
            "buffers and page cache together",
            "requirement S1",
        )
        return shared

    def _work_mem(self, amounts: Amounts) -> None:
        """work_mem: what is left, shared by all operations of the worst case, rounded down."""
        room, operations = self._room(amounts), self._counts.operations
        each = max(self._each(amounts), 64 * KIB)
        cap = _WORK_MEM_CAP[self._profile.workload]
        wanted = self._ledger.pinned_number("work_mem", cap)
        roomy = self._each(replace(amounts, hash_mem_multiplier=2.0)) >= 2 * wanted
        self._ledger.set(
            "hash_mem_multiplier",
            "2.0" if roomy else "1.0",
            "stock: the room is there" if roomy else "hashes keep to work_mem, so that the proof holds",
            "requirement S10",
        )
        sized = _round(max(int(each / max(1.0, self._ledger.real("hash_mem_multiplier"))), 64 * KIB))
        self._ledger.memory(
            "work_mem",
            Bytes(min(sized, cap)),
            f"{human(int(room))} left by the fixed items, over {operations:.0f} operations at once, rounded down",
            "requirement S10",
        )


def _round(size: int) -> Bytes:
    """`size` down to a number that is read at a glance: its four leading bits, in steps of 64 kB."""
    return floor_to(size, max(floor_power_of_two(size) // 8, 64 * KIB))


def session(ram: Bytes) -> float:
    """Bytes of a session beside its operations: 2.6 MB were measured over 30 tables, 10.3 over 330.

    The smaller the machine, the smaller is the schema that it is taken to hold.
    """
    return max(4 * MIB, min(ram / 512, 11 * MIB))


def _amounts(maintenance: float, vacuum: float, wal: float, small: float, each: float, **rest: float) -> Amounts:
    """The amounts; -1 of autovacuum_work_mem means maintenance_work_mem, and of wal_buffers at most one segment."""
    vacuum, wal = vacuum if vacuum > 0 else maintenance, wal if wal > 0 else 16 * MIB
    return Amounts(maintenance, vacuum, small, wal, each, **rest)
