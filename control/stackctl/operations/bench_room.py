"""Whether two servers of a profile fit into this machine, its memory and its disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from stackctl.bench.app import WORKER_MEMORY
from stackctl.bench.workloads import Measure, Workload
from stackctl.engine.rooms import Limits
from stackctl.engine.runner import Runner
from stackctl.errors import Problem, ProfileError
from stackctl.hardware.detect import available_memory, free_disk, on_one_device
from stackctl.operations.bench_ground import data_place
from stackctl.operations.bench_statements import Source
from stackctl.operations.engines import DOCKER
from stackctl.operations.result import Request
from stackctl.operations.stack import Prepared, prepare
from stackctl.settings.layers import DETECTED
from stackctl.units import GIB, MIB, Bytes, floor_power_of_two, human

# About 15 MB for each step; with indexes, a copy of the rows for bulk loads and what writes leave behind.
_STEP_BYTES = 30 * MIB
# A user's rows as they are restored, and what building their indexes takes for a while.
_RESTORED = 2
_MOST_WAL = 8 * GIB
# Clients, the page cache they share, and everything else on this machine.
_BESIDE = GIB


def fitting(request: Request, runner: Runner, workloads: Sequence[Workload]) -> tuple[Prepared, list[Problem]]:
    """The profile that was asked for; where nobody asked for one, the largest that fits twice, and a word on it.

    Raises ProfileError where two servers of the profile do not fit, with one that would.
    """
    prepared = prepare(request, runner)
    if _needed(prepared, workloads) <= available_memory():
        return prepared, []
    smaller = next(_smaller(prepared, request, runner, workloads), None)
    if smaller is not None and prepared.opened.settings.provenance["ram"] == DETECTED:
        said = f"measured with a profile of {_ram(smaller)}, as two servers of this whole machine's do not fit into it"
        return smaller, [Problem("smaller_profile", said, "--ram names another")]
    memory, there = human(limits_of(prepared).memory), human(available_memory())
    beside = human(Bytes(_needed(prepared, workloads) - 2 * limits_of(prepared).memory))
    servers = f"two servers with {memory} each, and {beside} for what works beside them,"
    raise ProfileError(
        f"{servers} do not fit into the {there} that are free",
        hint=f"a smaller profile tells as much: stackctl bench --ram {_ram(smaller)}"
        if smaller
        else "end other programs, or measure on a larger machine",
        code="larger_than_host",
    )


def limits_of(prepared: Prepared) -> Limits:
    """What each server may use: the database's share of the profile."""
    share = prepared.sizing.share("postgres")
    assert share is not None, "every stack has a database"  # noqa: S101
    return Limits(
        share.memory,
        prepared.sizing.shm_size,
        min(share.cpus, prepared.opened.host.cpus),
        prepared.sizing.profile.disk_limit,
    )


def refuse_without_disk(prepared: Prepared, scale: int, workloads: Sequence[Workload], source: Source | None) -> None:
    """Raise ProfileError where the tables, WAL and a copy of a user's rows may not fit where servers have them."""
    large = max(each.past_memory for each in workloads) * limits_of(prepared).memory
    rows = source.size() if source else Bytes(0)
    tables = _RESTORED * rows if source else scale * _STEP_BYTES
    # A restore writes each byte to WAL once; other work up to max_wal_size, and beyond while a checkpoint goes on.
    wal = min(_MOST_WAL, GIB + rows) if source else _MOST_WAL
    # Of the large table updates leave as much again.
    place, needed = data_place(prepared), {data_place(prepared): 2 * (tables + wal + 1.5 * large)}
    # The dump is compressed, and so no larger than the rows.
    dump = place if prepared.choice.engine != DOCKER else Path(tempfile.gettempdir())
    dump = place if on_one_device(dump, place) else dump
    needed[dump] = needed.get(dump, 0) + rows
    what = f"a copy of your {human(rows)}" if source else f"tables of scale {scale}"
    for where, size in needed.items():
        if (lacking := size - (free := free_disk(where))) > 0:
            may = f"two servers with {what} may need {human(int(size))} below {where}"
            hint = _less(lacking, 0 if source else tables, large)
            raise ProfileError(f"{may}, and {human(free)} are free", hint=hint)


def _less(lacking: float, tables: float, large: float) -> str:
    """What makes room for so many bytes."""
    if 3 * large > lacking:
        return "make room there; or --workloads without large, or a smaller --ram"
    if 2 * tables > lacking:
        return "make room there, or --scale with a smaller number"
    return "make room there"


def _needed(prepared: Prepared, workloads: Sequence[Workload]) -> Bytes:
    workers = prepared.sizing.connections.workers
    app = workers * WORKER_MEMORY if any(each.measure is Measure.API for each in workloads) else 0
    return Bytes(2 * limits_of(prepared).memory + app + _BESIDE)


def _smaller(prepared: Prepared, request: Request, runner: Runner, workloads: Sequence[Workload]) -> Iterator[Prepared]:
    """Profiles with less memory that fit twice, the largest first; each a power of two."""
    ram = int(floor_power_of_two(prepared.sizing.profile.ram - 1))
    while ram >= GIB:
        found = prepare(replace(request, flags={**request.flags, "ram": f"{ram // GIB}G"}), runner)
        if _needed(found, workloads) <= available_memory():
            yield found
        ram //= 2


def _ram(prepared: Prepared) -> str:
    return f"{prepared.sizing.profile.ram // GIB}G"
