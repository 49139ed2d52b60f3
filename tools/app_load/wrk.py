"""One slice of load by wrk, and what its clients saw."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# The three kinds of failed sockets are one here; `status` counts answers of 400 and above.
DONE = """
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p95": %.3f, "p99": %.3f, '
    .. '"refused": %d, "lost": %d}\\n', summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
"""
# Each thread of wrk would draw the same numbers.
RANDOM = """
function setup(thread) counter = (counter or 0) + 1; thread:set("seed", counter + %d) end
function init(args) math.randomseed(seed) end
function request() return wrk.format("GET", "%s" .. math.random(1, 5000)) end
"""


@dataclass(frozen=True)
class Slice:
    """`p50`, `p95` and `p99` are in milliseconds; `refused` are answers of 400 and above, `lost` have none."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    refused: int
    lost: int

    @property
    def rate(self) -> float:
        """Good answers each second."""
        return (self.requests - self.refused) / self.seconds


def require() -> None:
    """End with one line when wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not on PATH; on Debian: apt-get install wrk")


def drive(url: str, clients: int, seconds: float, cpu: str, folder: Path, timeout: int = 60) -> Slice:
    """Keep `clients` connections busy with GET; a url that ends in `/` gets a random id at each request."""
    script = folder / "done.lua"
    path = url[url.index("/", 8) :]
    script.write_text(DONE + (RANDOM % (clients, path) if url.endswith("/") else ""))
    argv = ["wrk", "-t", "1", "-c", str(clients), "-d", f"{max(1, round(seconds))}s", "--timeout", f"{timeout}s"]
    pinned = ["taskset", "-c", cpu, *argv] if cpu else argv
    said = subprocess.run([*pinned, "-s", str(script), url], capture_output=True, text=True, check=True).stdout
    return Slice(**json.loads(said.rstrip().rsplit("\n", 1)[1]))
