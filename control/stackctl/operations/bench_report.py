"""What a bench found: ratios with their intervals for people, everything for scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Any

from stackctl.bench.contenders import STOCK, Contender
from stackctl.bench.pairing import Measured
from stackctl.bench.plans import Planned
from stackctl.bench.slices import Slice
from stackctl.bench.statistics import Ratio, Verdict, geometric_mean, paired
from stackctl.bench.workloads import Measure, Workload
from stackctl.engine.rooms import Limits
from stackctl.errors import Problem
from stackctl.hardware.model import HardwareProfile
from stackctl.operations.result import Block, Line, Result, Table
from stackctl.units import MIB, Bytes, human

_MARKS = {Verdict.FASTER: "faster", Verdict.SLOWER: "slower", Verdict.NOISE: "~", Verdict.NOT_COUNTED: "not counted"}
_MEAN = "geometric mean"
_THIRDS = 3


@dataclass(frozen=True)
class Compared:
    """One contender against stock: what was measured, the plans of both for the same questions, and what failed."""

    contender: Contender
    measured: Sequence[Measured]
    plans: Sequence[Planned] = ()
    failed: frozenset[str] = frozenset()

    def verdict(self, rate: Ratio) -> Verdict:
        """What a ratio of rates says of the contender; speed that is bought with durability counts for nothing."""
        return Verdict.NOT_COUNTED if self.contender.traded else rate.verdict

    def mean(self, seed: int) -> float | None:
        """The geometric mean of its ratios of rates, None where they count for nothing."""
        ratios = [rate_of(each, seed).median for each in self.measured]
        return None if self.contender.traded else round(geometric_mean(ratios), 4)


@dataclass(frozen=True)
class Run:
    """What was measured, and how: the limits of each server and what enforced them, the tables' scale, the seed.

    A scale of 0 are tables of the user's.
    """

    limits: Limits
    limited: str
    scale: int
    seed: int
    began: datetime
    seconds: float
    compared: Sequence[Compared]


def result_of(run: Run, profile: HardwareProfile, engine: str, warnings: Sequence[Problem]) -> Result:
    """The document and what a person reads."""
    document = {
        "engine": engine,
        "postgres": profile.postgres,
        "ram_bytes": profile.ram,
        "limits": {**asdict(run.limits), "disk": str(run.limits.disk) or None, "enforced": run.limited},
        "scale": run.scale or None,
        "seed": run.seed,
        "began_at": run.began.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 1),
        "compared": [_compared(each, run.seed) for each in run.compared],
    }
    return Result(document, _blocks(run), warnings)


def _compared(found: Compared, seed: int) -> dict[str, Any]:
    return {
        "contender": found.contender.name,
        "settings": dict(found.contender.settings),
        "left_out": dict(found.contender.left_out),
        "plans": [asdict(each) for each in found.plans],
        "workloads": [_workload(found, each, seed) for each in found.measured],
        "geometric_mean": found.mean(seed),
    }


def _workload(compared: Compared, found: Measured, seed: int) -> dict[str, Any]:
    rate, slow, name = rate_of(found, seed), latency_of(found, seed), compared.contender.name
    return {
        "workload": found.workload.name,
        "about": found.workload.about,
        "rate": {**asdict(rate), "verdict": compared.verdict(rate)},
        "p95": None if slow is None else asdict(slow),
        "sides": {side: _side(slices) for side, slices in ((STOCK, found.theirs), (name, found.ours))},
    }


def _side(slices: Sequence[Slice]) -> dict[str, Any]:
    """Medians of a side's slices; what is counted for the whole is a sum."""
    work = sum(each.transactions for each in slices)

    def each_one(total: float) -> float | None:
        return round(total / work, 6) if work else None

    return {
        "rate": round(median(each.rate for each in slices), 4),
        **{f"{name}_ms": round(median(getattr(each, name) for each in slices), 3) for name in ("p50", "p95", "p99")},
        "transactions": work,
        "failed": sum(each.failed for each in slices),
        "refused": sum(each.refused for each in slices),
        "cpu_seconds_each": each_one(sum(each.cpu_seconds for each in slices)),
        "wal_bytes_each": each_one(sum(each.counted.wal_bytes for each in slices)),
        "temp_bytes": round(sum(each.counted.temp_bytes for each in slices)),
        "checkpoints": round(sum(each.counted.checkpoints_timed + each.counted.checkpoints_forced for each in slices)),
        "updates": round(sum(each.counted.updates for each in slices)),
        "hot_updates": round(sum(each.counted.hot_updates for each in slices)),
        "autovacuums": round(sum(each.counted.vacuums for each in slices)),
        "growth_bytes": round(sum(each.counted.database_bytes for each in slices)),
        "memory_bytes": max(each.memory for each in slices),
        "rates": [round(each.rate, 4) for each in slices],
        "p95s_ms": [round(each.p95, 3) for each in slices],
    }


def rate_of(found: Measured, seed: int) -> Ratio:
    """How many times as fast as stock."""
    return _paired(tuple(each.rate for each in found.ours), tuple(each.rate for each in found.theirs), seed)


def latency_of(found: Measured, seed: int) -> Ratio | None:
    """The 95th percentile as a part of stock's; None where a slice is one operation."""
    ours, theirs = tuple(each.p95 for each in found.ours), tuple(each.p95 for each in found.theirs)
    if found.workload.measure not in (Measure.TIMED, Measure.STORM, Measure.API) or not min(*ours, *theirs):
        return None
    return _paired(ours, theirs, seed)


# The document and two tables show the same interval, which takes 50 ms to find.
_paired = lru_cache(paired)


def _blocks(run: Run) -> list[Block]:
    names = [each.contender.name for each in run.compared]
    workloads = {each.workload.name: each.workload for found in run.compared for each in found.measured}
    measured = [(found, {m.workload.name: m for m in found.measured}) for found in run.compared]

    def row(workload: Workload, cell: Callable[[Compared, Measured], str]) -> list[str]:
        name = workload.name
        cells = [cell(found, by[name]) if name in by else _missing(found, name) for found, by in measured]
        return [name, *cells, workload.about]

    def rate(compared: Compared, found: Measured) -> str:
        ratio = rate_of(found, run.seed)
        return f"{_shown(ratio)} {_MARKS[compared.verdict(ratio)]}"

    rates = [row(each, rate) for each in workloads.values()]
    if len(workloads) > 1:
        means = ("-" if (mean := each.mean(run.seed)) is None else f"{mean:.2f}" for each in run.compared)
        rates.append([_MEAN, *means, "of those measured"])
    slow = [row(each, lambda _, found: _shown(latency_of(found, run.seed))) for each in workloads.values()]
    columns = ["workload", *names, "what it is"]
    slow = [line for line in slow if set(line[1:-1]) != {"-"}]
    return [
        Line(
            f"{human(run.limits.memory)} and {run.limits.cpus:g} CPUs for each server; {run.limited}.",
            "dim",
        ),
        Table(columns, rates, f"Times as fast as {STOCK}, with the interval of 95 %"),
        *([Table(columns, slow, f"95th percentile of latency, as a part of {STOCK}'s")] if slow else []),
        *(_costs(found) for found in run.compared),
        *(table for found in run.compared if (table := _upkeep(found)).rows),
        *(_plans(found) for found in run.compared if found.plans),
        Line("~: within the noise of this run. A machine's drift meets both sides of a round.", "dim"),
    ]


def _missing(compared: Compared, workload: str) -> str:
    return "failed" if workload in compared.failed else "not measured"


def _shown(ratio: Ratio | None) -> str:
    return "-" if ratio is None else f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _costs(found: Compared) -> Table:
    """What the work took, stock before ours."""
    rows = []
    for each in found.measured:
        stock, ours = _side(each.theirs), _side(each.ours)
        rows.append(
            [
                each.workload.name,
                str(len(each.ours)),
                _both(stock["rate"], ours["rate"], "{:.1f}"),
                _both(stock["cpu_seconds_each"], ours["cpu_seconds_each"], "{:.2f}", 1000),
                _both(stock["wal_bytes_each"], ours["wal_bytes_each"], "{:.0f}"),
                _both(stock["temp_bytes"], ours["temp_bytes"], "{:.0f}", 1 / MIB),
                _both(stock["checkpoints"], ours["checkpoints"], "{:.0f}"),
                f"{human(Bytes(stock['memory_bytes']))}, {human(Bytes(ours['memory_bytes']))}",
            ]
        )
    columns = [
        "workload",
        "rounds",
        "a second",
        "CPU ms each",
        "WAL bytes each",
        "temporary MiB",
        "checkpoints",
        "memory at the end",
    ]
    return Table(columns, rows, f"What the work took: {STOCK}, {found.contender.name}")


def _upkeep(found: Compared) -> Table:
    """What updates left behind and what was done about it, stock before ours."""
    rows = []
    for each in found.measured:
        stock, ours = _side(each.theirs), _side(each.ours)
        if stock["updates"] and ours["updates"]:
            hot, our_hot = (side["hot_updates"] / side["updates"] for side in (stock, ours))
            rows.append(
                [
                    each.workload.name,
                    _both(stock["updates"], ours["updates"], "{:.0f}"),
                    _both(hot, our_hot, "{:.0f}", 100),
                    _both(stock["autovacuums"], ours["autovacuums"], "{:.0f}"),
                    _both(stock["growth_bytes"], ours["growth_bytes"], "{:.1f}", 1 / MIB),
                    ", ".join(_over_time(side["p95s_ms"]) for side in (stock, ours)),
                ]
            )
    columns = ["workload", "rows updated", "HOT, %", "autovacuums", "MiB grown", "p95 ms, first to last third"]
    return Table(columns, rows, f"What updates left behind: {STOCK}, {found.contender.name}")


def _over_time(slow: Sequence[float]) -> str:
    """The median of each third of the rounds, which shows what grows slower as its tables grow."""
    if len(slow) < _THIRDS or not any(slow):
        return "-"
    ends = [round(len(slow) * third / _THIRDS) for third in range(_THIRDS + 1)]
    return " ".join(f"{median(slow[begin:end]):.1f}" for begin, end in pairwise(ends))


def _plans(found: Compared) -> Table:
    """Those that differ, stock first."""
    rows = [[each.question, each.theirs, each.ours] for each in found.plans if each.ours != each.theirs]
    title = f"Plans that differ, {len(rows)} of {len(found.plans)}"
    return Table(["question", STOCK, found.contender.name], rows, title)


def _both(stock: float | None, ours: float | None, form: str, factor: float = 1) -> str:
    return ", ".join("-" if each is None else form.format(each * factor) for each in (stock, ours))
