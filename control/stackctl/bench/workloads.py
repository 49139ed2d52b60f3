"""What is measured: one kind of work for each thing that a configuration can be good or bad at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from stackctl import assets
from stackctl.errors import UsageError


class Measure(StrEnum):
    """How one slice is taken.

    For a time, once to the end, by a storm of clients, through the app, or from a crash to a connection.
    """

    TIMED = "timed"
    ONCE = "once"
    STORM = "storm"
    API = "api"
    CRASH = "crash"


# To nowhere: what is measured is what reading everything costs the server. It reads as much of both in a second, as a
# backup at the gentle pace does: unbounded, the server that lets the reader have more of its CPUs looks worse.
_BACKUP = (
    *("pg_basebackup", "--target=blackhole", "--wal-method=none"),
    *("--checkpoint=fast", "--no-manifest", "--max-rate=40M"),
)


@dataclass(frozen=True)
class Workload:
    """One kind of work. `script` is for pgbench; `before` runs for `before_seconds` ahead of each slice, unmeasured.

    `beside` are the words of a program that goes on beside each slice, again and again. In a storm the clients of a
    configuration that brings a pool share that pool, unless each has `own_connections`, or one to a `pooler`.

    With `past_memory` a table is made first that is so many times as large as the server's memory.

    With `checkpoints` slices go on until both servers have written so much WAL that it forced so many, or
    `most_seconds` have gone by. `sampling` is the part of the transactions whose latency is written down.

    pgbench comes as `role`, or as the administrator.

    For `settling` seconds before it counts, the sessions of a slice work: a new one meets each page of the server's
    shared memory for the first time, which costs it more the more there is, and an app's pool keeps its sessions.
    """

    name: str
    about: str
    script: str
    clients: int = 8
    seconds: float = 5
    rounds: int = 12
    measure: Measure = Measure.TIMED
    prepared: bool = False
    before: str = ""
    before_seconds: float = 0
    beside: tuple[str, ...] = ()
    own_connections: bool = False
    pooler: bool = False
    past_memory: float = 0
    checkpoints: int = 0
    most_seconds: float = 600
    sampling: float = 1.0
    settling: float = 0
    role: str = ""
    quick: bool = False


def _script(name: str) -> str:
    return assets.read(f"config/bench/{name}.sql")


def catalogue() -> Mapping[str, Workload]:
    """All workloads by name, in the order in which they run: those that leave the tables as they were come first."""
    tpcb, read = _script("tpcb"), _script("read")
    analytical, index, bulk, mix = _script("analytical"), _script("index"), _script("bulk"), _script("mix")
    large, storm = _script("large"), Workload("storm", "", tpcb, 400, 10, 8, Measure.STORM)
    once, crash = Measure.ONCE, Measure.CRASH
    sustained = Workload("mix", "", mix, 16, 15, 40, settling=10)
    known = (
        Workload("read", "one row by its key", read, sampling=0.1, settling=10, quick=True),
        Workload("prepared", "as a prepared statement", read, prepared=True, sampling=0.1, settling=10, quick=True),
        Workload("read-new", "one row by its key, by sessions that begin with the slice", read, sampling=0.1),
        Workload("analytical", "sorts, hashes, a join, a window", analytical, 1, measure=once, quick=True),
        Workload("index", "a B-tree over the largest table", index, 1, measure=once, quick=True),
        Workload("bulk", "COPY into an empty table, then ANALYZE", bulk, 1, measure=once),
        Workload("tpcb", "small writes like TPC-B's, each committed", tpcb, 16, quick=True),
        Workload("burst", "reads right after writes", read, sampling=0.1, rounds=6, before=tpcb, before_seconds=20),
        Workload("backup", "the same writes while a backup is read", tpcb, 16, 10, 8, beside=_BACKUP),
        replace(storm, about="400 clients, by the pool that a configuration brings"),
        replace(storm, name="storm-direct", about="400 clients, each transaction its connection", own_connections=True),
        replace(storm, name="storm-pooler", about="400 clients of a PgBouncer, where others have none", pooler=True),
        Workload("api", "100 clients of the reference app, the same before both", "", 100, 8, 8, Measure.API),
        Workload("api-crowd", "400 of them", "", 400, 8, 8, Measure.API),
        replace(sustained, about="reads and writes with hot rows, over three checkpoints", checkpoints=3),
        Workload("large", "rows of a table larger than memory", large, 16, 10, 12, sampling=0.1, past_memory=1.25),
        Workload("crash", "from a crash to a connection", "", 16, 0, 6, crash, before=tpcb, before_seconds=15),
    )  # fmt: skip
    return {each.name: each for each in known}


def chosen(names: Sequence[str], *, quick: bool) -> list[Workload]:
    """The workloads of that name, all without one; `quick` has fewer, with fewer and shorter slices.

    Raises UsageError for a name that is none.
    """
    known = catalogue()
    for name in names:
        if name not in known:
            hint = "write --workloads read,tpcb, for example"
            raise UsageError(f"--workloads {name!r} is not one of {', '.join(known)}", hint=hint)
    found = [each for each in known.values() if (each.name in names if names else each.quick or not quick)]
    return [shortened(each) for each in found] if quick else found


def shortened(workload: Workload) -> Workload:
    """The workload as `--quick` has it."""
    return replace(
        workload,
        seconds=min(workload.seconds, 3),
        rounds=min(workload.rounds, 7),
        before_seconds=min(workload.before_seconds, 5),
        settling=0,
        checkpoints=0,
    )


def own_script(name: str, script: str) -> Workload:
    """A user's own SQL, as a script for pgbench."""
    return Workload(name, "your own script", script)
