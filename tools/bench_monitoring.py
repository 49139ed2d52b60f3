"""Measure what monitoring costs the database, on a Docker stack of its own.

bench_monitoring.py [--pairs N] [--seconds N] [--clients N] [--scale N]

pgbench loads the database all the time. In turns, in random order, the services of monitoring work and are paused; the
ratio is that of the medians, with a bootstrap 95 % interval. A slice takes in two scrapes, and all slices together some
of the looks that are taken every five minutes. Needs an engine, and the images that `stackctl up` builds.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

from bench_settings import interval

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from running_stack import Stack, docker

WATCHING = ("exporter", "observer", "prometheus", "alertmanager")
_MIB = 2**20
# Of the throughput without monitoring, and for all targets together.
_LEAST_RATIO, _MOST_SCRAPE_SECONDS = 0.98, 0.2


def transactions(stack: Stack, seconds: int, clients: int) -> float:
    """Of pgbench, in a second."""
    words = ["pgbench", "-n", "-U", "postgres", "-c", str(clients), "-j", "2", "-T", str(seconds), "bench"]
    done = docker("exec", stack.container("postgres"), *words, seconds=seconds + 120)
    (found,) = re.findall(r"tps = ([\d.]+) \(without", done.out) or sys.exit(done.said)
    return float(found)


def turn(stack: Stack, word: str) -> None:
    """Pause or unpause monitoring. A container whose health is just being asked may refuse, and is asked again."""
    for container in map(stack.container, WATCHING):
        for _ in range(10):
            done = docker(word, container)
            if done.code == 0:
                break
            time.sleep(1)
        else:
            sys.exit(done.said)


def used(stack: Stack, *words: str) -> dict[str, float]:
    """A number of each service's control group, of the first of the files that it has."""
    found = {}
    for service in WATCHING:
        identity = docker("inspect", "--format", "{{.Id}}", stack.container(service)).out.strip()
        files = (path for word in words for path in Path("/sys/fs/cgroup").glob(f"**/*{identity}*/{word}"))
        found[service] = float(re.findall(r"\d+", next(files).read_text())[0])
    return found


def scrapes(stack: Stack) -> dict[str, float]:
    """The mean duration of a target's scrapes while nothing was paused, in seconds."""
    found = stack.get("prometheus", "/api/v1/query?query=avg_over_time(scrape_duration_seconds[100s])").json()
    return {each["metric"]["job"]: float(each["value"][1]) for each in found["data"]["result"]}


def met(bound: bool) -> str:
    """A verdict."""
    return "met" if bound else "MISSED"


def measure(stack: Stack, given: argparse.Namespace) -> None:
    """Print the ratio, what the services took themselves, and how long scrapes take."""
    pairs = []
    for number in range(given.pairs):
        rates = {}
        for on in random.sample([True, False], 2):
            if not on:
                turn(stack, "pause")
            rates[on] = transactions(stack, given.seconds, given.clients)
            if not on:
                turn(stack, "unpause")
        pairs.append((rates[False], rates[True]))
        print(f"pair {number + 1} of {given.pairs}: {rates[True] / rates[False]:.3f}", file=sys.stderr, flush=True)
    before = used(stack, "cpuacct.usage", "cpu.stat")
    transactions(stack, 120, given.clients)
    after = used(stack, "cpuacct.usage", "cpu.stat")
    # Nanoseconds in the first version of control groups, microseconds in the second.
    unit = 1e9 if list(Path("/sys/fs/cgroup").glob("cpuacct*")) else 1e6
    without, ratio, low, high = interval(pairs)
    print(f"tps without {without:.0f}, ratio with {ratio:.3f} ({low:.3f} to {high:.3f}): {met(high >= _LEAST_RATIO)}")
    peak = used(stack, "memory.max_usage_in_bytes", "memory.peak")
    limit = used(stack, "memory.limit_in_bytes", "memory.max")
    print("| service | CPU under load | peak of memory | limit |\n|---|---|---|---|")
    for each in WATCHING:
        share = (after[each] - before[each]) / unit / 120
        print(f"| {each} | {share:.2%} of a core | {peak[each] / _MIB:.0f} MiB | {limit[each] / _MIB:.0f} MiB |")
    found = scrapes(stack)
    for job, seconds in sorted(found.items()):
        print(f"a scrape of {job}: {seconds * 1000:.0f} ms")
    total = sum(found.values())
    print(f"all of them, one after the other: {total * 1000:.0f} ms: {met(total <= _MOST_SCRAPE_SECONDS)}")


def main() -> None:
    """Bring a stack up, fill it, measure, remove it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=30, help="of a slice")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--scale", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-monitoring-", dir="/var/tmp") as folder:
        stack = Stack(Path(folder), "docker")
        stack.write()
        try:
            stack.up()
            stack.sql("CREATE DATABASE bench")
            fill = ["pgbench", "-i", "-q", "-U", "postgres", "-s", str(given.scale), "bench"]
            if (done := docker("exec", stack.container("postgres"), *fill, seconds=600)).code:
                sys.exit(done.said)
            measure(stack, given)
        finally:
            stack.remove()


if __name__ == "__main__":
    main()
