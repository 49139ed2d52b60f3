"""`stackctl bench`: configurations side by side on throwaway servers, in pairs with stock."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from stackctl.bench import contenders
from stackctl.bench.contenders import Contender
from stackctl.bench.instance import Instance
from stackctl.bench.pairing import Measured, Pair
from stackctl.bench.slices import Field
from stackctl.bench.workloads import Workload, chosen, own_script
from stackctl.engine.base import Note
from stackctl.engine.rooms import Limits, Room, Rooms
from stackctl.engine.runner import Runner
from stackctl.errors import ProfileError, UsageError
from stackctl.hardware.detect import available_memory, free_disk
from stackctl.operations.bench_report import Compared, Run, result_of
from stackctl.operations.project import catalog_for
from stackctl.operations.result import Request, Result
from stackctl.operations.stack import Prepared, prepare
from stackctl.settings.postgresql_conf import read_conf
from stackctl.units import GIB, MIB, Bytes, human

# About 15 MB for each step; with indexes, a copy of the rows for bulk loads and what writes leave behind.
_STEP_BYTES = 30 * MIB
QUICK_SCALE, FULL_SCALE = 20, 100
# Clients, the page cache they share, and everything else on this machine.
_BESIDE = GIB


@dataclass(frozen=True)
class Asked:
    """What the command line said. `scale` and `rounds` 0 leave it to us."""

    peers: Sequence[str] = ()
    workloads: Sequence[str] = ()
    conf: Path | None = None
    script: Path | None = None
    quick: bool = False
    scale: int = 0
    rounds: int = 0
    seed: int = 0


def bench_command(request: Request, runner: Runner, note: Note, asked: Asked) -> Result:
    """Measure ours, and the peers that were asked for, each in a pair with stock. Nothing of it stays.

    Raises UsageError and ProfileError before anything is started.
    """
    workloads = _workloads(asked)
    prepared = prepare(request, runner)
    named = _contenders(prepared, asked)
    limits, scale = _limits(prepared), asked.scale or (QUICK_SCALE if asked.quick else FULL_SCALE)
    _refuse_without_room(limits, scale)
    began, moment = time.monotonic(), datetime.now(UTC)
    compared = []
    with _rooms(prepared, runner, note) as rooms:
        for each in named:
            note(f"{each.name} against {contenders.STOCK}")
            compared.append(Compared(each, _pair(rooms, prepared, each, limits, scale, asked.seed, workloads, note)))
        limited = rooms.limited
    seconds = time.monotonic() - began
    run = Run(limits, limited, scale, asked.seed, moment, seconds, compared)
    return result_of(run, prepared.sizing.profile, prepared.choice.engine, prepared.warnings)


def _workloads(asked: Asked) -> list[Workload]:
    found = chosen(asked.workloads, quick=asked.quick)
    if asked.script is not None:
        try:
            found = [own_script(asked.script.stem, asked.script.read_text(encoding="utf-8"))]
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--script {asked.script}: {error}", hint="give a script for pgbench") from error
    if not asked.rounds:
        return found
    return [replace(each, rounds=asked.rounds) for each in found]


def _contenders(prepared: Prepared, asked: Asked) -> list[Contender]:
    sizing, build = prepared.sizing, prepared.deployment.build
    catalog = catalog_for(sizing.profile.postgres)
    names = dict.fromkeys(asked.peers or (contenders.OURS,))
    for name in names:
        if name not in contenders.NAMES:
            known = ", ".join(contenders.NAMES)
            raise UsageError(f"--peers {name!r} is not one of {known}", hint="stock is in every pair anyway")
    found = [contenders.contender(name, sizing, catalog, build) for name in names]
    if asked.conf is not None:
        found.append(contenders.from_file(asked.conf.name, read_conf(asked.conf), sizing, catalog, build))
    return found


def _limits(prepared: Prepared) -> Limits:
    share = prepared.sizing.share("postgres")
    assert share is not None, "every stack has a database"  # noqa: S101
    return Limits(
        share.memory,
        prepared.sizing.shm_size,
        min(share.cpus, prepared.opened.host.cpus),
        prepared.sizing.profile.disk_limit,
    )


def _refuse_without_room(limits: Limits, scale: int) -> None:
    needed, there = Bytes(2 * limits.memory + _BESIDE), available_memory()
    if needed > there:
        raise ProfileError(
            f"two servers with {human(limits.memory)} each do not fit into the {human(there)} that are free",
            hint="a smaller profile tells as much: stackctl bench --ram 8G",
            code="larger_than_host",
        )
    disk, free = Bytes(2 * (scale * _STEP_BYTES + 8 * GIB)), free_disk(Path("/var/tmp"))  # noqa: S108 - looked at only
    if disk > free:
        raise ProfileError(
            f"two servers with tables of scale {scale} may need {human(disk)}, and {human(free)} are free",
            hint="--scale with a smaller number",
        )


@contextmanager
def _rooms(prepared: Prepared, runner: Runner, note: Note) -> Iterator[Rooms]:
    """Docker's libraries are loaded only where it is the engine."""
    postgres = prepared.sizing.profile.postgres
    if prepared.choice.engine != "docker":
        from stackctl.engine.embedded.rooms import embedded_rooms

        with embedded_rooms(runner, postgres) as rooms:
            yield rooms
        return
    from stackctl.engine.docker import images
    from stackctl.engine.docker.rooms import docker_rooms

    supply = images.supply(prepared.choice.images, postgres, ("postgres",))
    images.ensure(supply, runner, note)
    with docker_rooms(runner, prepared.opened.project.name, supply.references()["postgres"], postgres) as found:
        yield found


def _pair(
    rooms: Rooms,
    prepared: Prepared,
    contender: Contender,
    limits: Limits,
    scale: int,
    seed: int,
    workloads: Sequence[Workload],
    note: Note,
) -> list[Measured]:
    stock = contenders.stock(prepared.sizing)
    with (
        _running(rooms.room("stock", limits), prepared, stock, scale, note) as theirs,
        _running(rooms.room("contender", limits), prepared, contender, scale, note) as ours,
    ):
        pair = Pair(Field(rooms, scale), ours, theirs, random.Random(seed), note)  # noqa: S311 - repeatable
        found = [pair.measure(workload) for workload in workloads]
    for side in (ours, theirs):
        rooms.leave(side.room)
    return found


@contextmanager
def _running(room: Room, prepared: Prepared, contender: Contender, scale: int, note: Note) -> Iterator[Instance]:
    """A server that is filled. Where the run is interrupted the rooms go as they are."""
    instance = Instance(room, contender, prepared.sizing.profile.postgres)
    instance.make()
    instance.start()
    note(f"{contender.name}: filling tables of scale {scale}")
    instance.fill(scale)
    yield instance
    instance.stop()
