"""Time the command line side by side: each figure is a ratio to its bare peer, measured in alternating runs.

bench_cli.py [--runs N] [--engines]: with --engines, `up` on the Docker engine (images present) is paired against
`docker compose up --wait` of the same files, and the embedded `up` is timed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stackctl.hardware.model import FULL_BUILD, HardwareProfile, Storage, Workload
from stackctl.operations.project import catalog_for
from stackctl.sizing.model import Pin
from stackctl.sizing.plan import size
from stackctl.units import GIB, Bytes

STACKCTL = [str(Path(sys.executable).with_name("stackctl"))]
REFERENCE = ["--ram", "16G", "--cpus", "4", "--storage", "ssd", "--disk", "200G", "--workload", "web"]
REFERENCE += ["--pg", "17", "--app-workers", "4"]
TYPER = "import typer; a = typer.Typer(add_completion=False); a.command()(lambda: None); a(standalone_mode=False)"


def seconds(argv: Sequence[str], folder: Path) -> float:
    """Wall time of one command that must succeed."""
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return time.perf_counter() - began


def paired(first: Callable[[], float], second: Callable[[], float], runs: int) -> tuple[float, float]:
    """Medians of two commands that take turns, so that the machine's drift meets both."""
    times = [(first(), second()) for _ in range(runs)]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times)


def report(name: str, mine: float, peer: float, bound: str) -> None:
    """One line of the table."""
    print(f"| {name} | {mine:.3f} s | {peer:.3f} s | {mine / peer:.2f} | {bound} |", flush=True)  # noqa: T201


def bench_commands(runs: int, folder: Path) -> None:
    """`size` against a bare interpreter, `render` against `size`."""
    bare = [sys.executable, "-c", "pass"]
    size = [*STACKCTL, "size", *REFERENCE]
    render = [*STACKCTL, "render", "--out", str(folder / "out"), *REFERENCE]
    mine, peer = paired(lambda: seconds([sys.executable, "-c", TYPER], folder), lambda: seconds(bare, folder), runs)
    report("bare typer / bare python", mine, peer, "-")
    mine, peer = paired(lambda: seconds(size, folder), lambda: seconds(bare, folder), runs)
    report("size / bare python", mine, peer, "8")
    mine, peer = paired(lambda: seconds(render, folder), lambda: seconds(size, folder), runs)
    report("render / size", mine, peer, "2")


def bench_sizing(runs: int) -> None:
    """The pure function alone, in this process, for the reference machine and for one whose pins do not fit."""
    catalog = catalog_for(17)
    machine = HardwareProfile(Bytes(16 * GIB), 4, Storage.SSD, Bytes(200 * GIB), Workload.WEB, 17, 4)
    for name, pins in (("sizing", {}), ("sizing with a pin that fails", {"work_mem": Pin("1GB", "flag")})):
        times = []
        for _ in range(runs * 20):
            began = time.perf_counter()
            size(machine, pins, catalog, FULL_BUILD)
            times.append(time.perf_counter() - began)
        mine = statistics.median(times) * 1000
        print(f"| {name}, in process / 5 ms | {mine:.1f} ms | 5 ms | {mine / 5:.2f} | 1 |", flush=True)  # noqa: T201


def bench_docker(runs: int, folder: Path) -> None:
    """`up` against bare Compose on the same rendered files, from stopped to healthy."""
    up = [*STACKCTL, "--quiet", "up", "--ram", "8G", "--engine", "docker", "--images", "debian"]
    down = [*STACKCTL, "--quiet", "down"]
    seconds(up, folder)
    rendered = next(folder.glob(".stackctl/rendered"))
    name = next(
        line.split('"')[1] for line in (rendered / "compose.yaml").read_text().splitlines() if line[:5] == "name:"
    )
    compose = [
        "docker",
        "compose",
        "-p",
        name,
        "--project-directory",
        str(rendered),
        "-f",
        str(rendered / "compose.yaml"),
    ]

    def mine() -> float:
        seconds(down, folder)
        return seconds(up, folder)

    def peer() -> float:
        seconds(down, folder)
        return seconds([*compose, "up", "--detach", "--wait"], folder)

    report("up / docker compose up --wait", *paired(mine, peer, runs), "1.1")
    seconds([*STACKCTL, "--quiet", "down", "--destroy-data", "--yes-destroy", name], folder)


def bench_embedded(runs: int, folder: Path) -> None:
    """The embedded `up`, first and again, against its bound of 10 s."""
    up = [*STACKCTL, "--quiet", "up", "--ram", "8G", "--engine", "embedded"]
    first = seconds(up, folder)
    report("embedded up, first time / 10 s", first, 10.0, "1")
    times = []
    for _ in range(runs):
        seconds([*STACKCTL, "--quiet", "down"], folder)
        times.append(seconds(up, folder))
    report("embedded up / 10 s", statistics.median(times), 10.0, "1")
    name = subprocess.run([*STACKCTL, "--json", "down"], cwd=folder, capture_output=True, text=True, check=True).stdout
    name = next(line.split('"')[3] for line in name.splitlines() if '"name"' in line)
    seconds([*STACKCTL, "--quiet", "down", "--destroy-data", "--yes-destroy", name], folder)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--engines", action="store_true")
    options = parser.parse_args()
    print("| what | median | peer's median | ratio | bound |\n|---|---|---|---|---|")  # noqa: T201
    with tempfile.TemporaryDirectory() as folder:
        bench_commands(options.runs, Path(folder))
    bench_sizing(options.runs)
    if options.engines:
        with tempfile.TemporaryDirectory() as folder:
            bench_docker(min(options.runs, 5), Path(folder))
        with tempfile.TemporaryDirectory() as folder:
            bench_embedded(min(options.runs, 5), Path(folder))


if __name__ == "__main__":
    main()
