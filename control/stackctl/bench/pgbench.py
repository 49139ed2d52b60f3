"""pgbench: its command line, and what its output and its logs say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import EngineFailed

DATABASE = "bench"
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Told:
    """Transactions a second without the time to connect, how many there were, failed, and found no connection."""

    rate: float
    transactions: int
    failed: int
    refused: int = 0


def fill(scale: int) -> tuple[str, ...]:
    """Words that make the tables, in the server: 100000 accounts, about 15 MB, for each step of the scale."""
    return ("-i", "-I", "dtGvp", "-q", "-s", str(scale), DATABASE)


def words(
    script: Path,
    *,
    scale: int,
    clients: int,
    seconds: float,
    once: bool,
    prepared: bool,
    log: Path | None,
    sampling: float,
    rows: int = 0,
) -> tuple[str, ...]:
    """Words that run `script` for `seconds`, or once; latencies go to files that begin with `log`.

    The script knows the `scale` of the tables and the `rows` of the one that is larger than memory.
    """
    length = ("-t", "1") if once else ("-T", str(max(1, round(seconds))))
    logging = ("--log", f"--log-prefix={log}", f"--sampling-rate={sampling}") if log else ()
    return (
        *("-n", "-f", str(script), "-D", f"scale={scale}", "-D", f"rows={rows}"),
        *("-c", str(clients), "-j", str(min(clients, 2)), *length),
        *("-M", "prepared" if prepared else "simple", *logging, DATABASE),
    )


def told(output: str, errors: str) -> Told:
    """What a run said. Raises EngineFailed where it did not end well."""
    rate, done, failed = _TPS.search(output), _DONE.search(output), _FAILED.search(output)
    if rate is None or done is None:
        lines = [line for line in errors.splitlines() if "error" in line.lower() or "fatal" in line.lower()]
        said = (lines or errors.strip().splitlines() or ["no word"])[0].strip()
        raise EngineFailed(f"pgbench: {said}", hint="the server's log is above, with --verbose")
    return Told(float(rate[1]), int(done[1]), int(failed[1]) if failed else 0)


def latencies(lines: Iterable[str]) -> list[float]:
    """Milliseconds of each transaction in a log, in order of size.

    The third column has microseconds, or a word for a transaction that failed.
    """
    columns = (line.split() for line in lines)
    return sorted(int(found[2]) / 1000 for found in columns if len(found) > 2 and found[2].isdigit())
