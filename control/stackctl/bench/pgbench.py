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
_PROGRESS = re.compile(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", re.MULTILINE)
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
    role: str = "",
    progress: bool = False,
) -> tuple[str, ...]:
    """Words that run `script` for `seconds`, or once; latencies go to files that begin with `log`.

    It comes as `role`, or without one as the administrator. With `progress` the rate of each second is told.

    The script knows the `scale` of the tables and the `rows` of the one that is larger than memory.
    """
    length = ("-t", "1") if once else ("-T", str(max(1, round(seconds))))
    telling = ("-P", "1") if progress else ()
    login = ("-U", role) if role else ()
    logging = ("--log", f"--log-prefix={log}", f"--sampling-rate={sampling}") if log else ()
    return (
        *(*login, "-n", "-f", str(script), "-D", f"scale={scale}", "-D", f"rows={rows}"),
        *("-c", str(clients), "-j", str(min(clients, 2)), *length, *telling),
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


def settled(errors: str, after: float) -> float:
    """The rate of a run from `after` seconds on, by its progress. Raises EngineFailed where it tells of none."""
    rates = [float(tps) for seconds, tps in _PROGRESS.findall(errors) if float(seconds) > after]
    if not rates:
        raise EngineFailed(f"pgbench: no progress after {after:g} s", hint="see --verbose")
    return sum(rates) / len(rates)


def latencies(lines: Iterable[str], after: float = 0) -> list[float]:
    """Milliseconds of each transaction in a log that ended `after` so many seconds, in order of size.

    The third column has microseconds, or a word for a transaction that failed, the fifth and sixth the time of its end.
    """
    columns = [found for line in lines if len(found := line.split()) > 5]
    ends = [int(found[4]) + int(found[5]) / 1_000_000 for found in columns]
    begin = min(ends, default=0) + after
    return sorted(
        int(found[2]) / 1000 for found, end in zip(columns, ends, strict=True) if end >= begin and found[2].isdigit()
    )
