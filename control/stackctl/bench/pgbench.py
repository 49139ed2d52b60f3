"""pgbench: its command line, and what its output and its logs say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import EngineFailed

DATABASE = "bench"
# What is made before anything is measured takes as long as it takes, whatever a configuration allows.
PATIENT = f"dbname={DATABASE} options='-c statement_timeout=0 -c lock_timeout=0'"
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_PROGRESS = re.compile(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", re.MULTILINE)
_BAD = re.compile(r"error|fatal|aborted", re.IGNORECASE)
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
    return ("-i", "-I", "dtGvp", "-q", "-s", str(scale), PATIENT)


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
    """What a run said that ended well; it tells no rate where not one transaction was. Raises EngineFailed."""
    rate, done, failed = _TPS.search(output), _DONE.search(output), _FAILED.search(output)
    if done is None or (rate is None and int(done[1])):
        raise EngineFailed(f"pgbench: {reason(errors)}", hint="it printed no rate as PostgreSQL 15 to 18 does")
    return Told(float(rate[1]) if rate else 0.0, int(done[1]), int(failed[1]) if failed else 0)


def reason(errors: str) -> str:
    """The first line that says why a program failed, or a client of it was aborted."""
    lines = [line for line in errors.splitlines() if _BAD.search(line)] or errors.strip().splitlines()
    return lines[0].strip() if lines else "it gave no word"


def settled(errors: str, after: float) -> float:
    """The rate of a run from `after` seconds on, by its progress. Raises EngineFailed where it tells of none."""
    rates = [float(tps) for seconds, tps in _PROGRESS.findall(errors) if float(seconds) > after]
    if not rates:
        raise EngineFailed(
            f"pgbench: no progress after {after:g} s", hint="it ended, or stood still, before its sessions had settled"
        )
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
