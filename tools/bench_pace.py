"""Measure what a backup does to the app beside it, on an embedded stack of its own.

bench_pace.py [--megabytes N] [--rate N] [--runs N]

Clients ask for lists and write rows at a steady rate that leaves the machine room, all the time. Stretches without a
backup, with one at the gentle pace and with one at full speed take turns, so that the machine's drift meets all of
them. Needs root, and three times the size of the database on the disk of /var.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench_backup import Bench, filled

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from http_load import Load, get, post

_ALONE_SECONDS = 30.0
_CLIENTS = 50


class Clients:
    """Two loads on the app: four reads to a write."""

    def __init__(self, port: int, rate: float) -> None:
        self.reads = Load(port, get("/tools?limit=50"), _CLIENTS, rate=rate * 0.8)
        self.writes = Load(port, post("/tools", "pace"), _CLIENTS // 4, rate=rate * 0.2)

    def during(self, work: Callable[[], object]) -> tuple[float, list[float], int]:
        """Seconds of some work, those of each request that began meanwhile, and how many failed."""
        began = time.monotonic()
        work()
        ended = time.monotonic()
        found = [each for load in (self.reads, self.writes) for each in load.outcomes if began <= each.began < ended]
        return ended - began, [each.seconds for each in found], sum(each.status not in (200, 201) for each in found)


def measure(bench: Bench, clients: Clients, runs: int) -> None:
    """Print one line for each stretch, and the ratios of the 95th percentiles."""
    project = bench.folder / "stackctl.yaml"
    percentiles: dict[str, list[float]] = {"alone": [], "gentle": [], "full": []}
    print("| stretch | seconds | requests | p50 | p95 | p99 | failed |\n|---|---|---|---|---|---|---|", flush=True)

    def backup() -> None:
        shutil.rmtree(bench.take()["path"])

    for _ in range(runs):
        for name in ("alone", "gentle", "alone", "full"):
            if name != "alone":
                project.write_text(f"backup: {{pace: {name}}}\n")
            wall, seconds, failed = clients.during((lambda: time.sleep(_ALONE_SECONDS)) if name == "alone" else backup)
            half, most, nearly_all = (statistics.quantiles(seconds, n=100)[each - 1] * 1000 for each in (50, 95, 99))
            percentiles[name].append(most)
            times = " | ".join(f"{each:.1f} ms" for each in (half, most, nearly_all))
            print(f"| {name} | {wall:.0f} | {len(seconds)} | {times} | {failed} |", flush=True)
    alone = statistics.median(percentiles["alone"])
    for name in ("gentle", "full"):
        print(f"p95 {name} / alone: {statistics.median(percentiles[name]) / alone:.2f}")


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--runs", type=int, default=1)
    given = parser.parse_args()
    with filled("bench-pace-", given.runs, given.megabytes) as bench:
        clients = Clients(4444, given.rate)
        with clients.reads, clients.writes:
            measure(bench, clients, given.runs)


if __name__ == "__main__":
    main()
