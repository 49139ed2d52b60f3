"""Time backups side by side with what they are compared to, on an embedded stack of its own.

bench_backup.py [--megabytes N] [--runs N] [full | verify | restore | archive | incremental ...]

The two sides of a figure take turns in one run, so that the machine's drift meets both. A ratio of rates above 1 means
that ours is faster. Files are pushed out of the page cache before they are read. Needs root, as the account of the
database is its own then, and twice the size of the database per run on the disk of /var/tmp.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STACKCTL = str(Path(sys.executable).with_name("stackctl"))
SCRIPT = Path(__file__).resolve().parents[1] / "config" / "postgres" / "archive-wal"
SEGMENT, SEGMENTS = 16 * 2**20, 40


def done(argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that must succeed."""
    found = subprocess.run(argv, text=True, capture_output=True, check=False, **options)
    if found.returncode != 0:
        sys.exit(f"{' '.join(argv)} ended with {found.returncode}:\n{found.stdout}{found.stderr}")
    return found


def seconds(work: Callable[[], object]) -> float:
    """Wall time of some work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def forget(*folders: Path) -> None:
    """Push all files of folders out of the page cache."""
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@dataclass
class Bench:
    """A running stack, a folder for the other side's files, and how often to repeat."""

    folder: Path
    runs: int

    def stackctl(self, *words: str) -> dict[str, Any]:
        """`data` of a command of ours that must succeed."""
        found: dict[str, Any] = json.loads(done([STACKCTL, "--json", "--quiet", *words], cwd=self.folder).stdout)
        return dict(found["data"])

    def up(self) -> None:
        """Bring it up, and find its server."""
        self.stackctl("up", "--ram", "4G", "--engine", "embedded")
        state = json.loads((self.folder / ".stackctl" / "state.json").read_text())
        self.name, home = state["name"], Path("/var/lib/stackctl") / state["name"]
        (pid,) = (home / "data").glob("*/postmaster.pid")
        lines = pid.read_text().splitlines()
        self.port, self.programs = lines[3], Path(f"/proc/{lines[0]}/exe").readlink().parent
        self.account = pwd.getpwuid(Path(f"/proc/{lines[0]}").stat().st_uid)

    def client(self, program: str, *words: str, role: str = "owner") -> str:
        """A client program as a role of the stack, run by the account of the database."""
        password = (self.folder / ".stackctl" / "secrets" / f"{role}_password").read_text().strip()
        where = {"PGHOST": "127.0.0.1", "PGPORT": self.port, "PGUSER": role, "PGPASSWORD": password}
        identity = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        argv = [str(self.programs / program), *words]
        return done(argv, cwd="/", env={**where, "PGDATABASE": "app", "PATH": os.environ["PATH"]}, **identity).stdout

    def own(self, name: str) -> Path:
        """An empty folder of the account."""
        place = self.folder / "other" / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.chown(place, self.account.pw_uid, self.account.pw_gid)
        return place

    def take(self, *words: str) -> dict[str, Any]:
        """A backup's record."""
        return self.stackctl("backup", *words)

    def take_turns(self, name: str, mine: Callable[[], object], other: Callable[[], object], bound: str) -> None:
        """Print one line: medians of both sides, and the ratio of their rates."""
        times = [(seconds(mine), seconds(other)) for _ in range(self.runs)]
        ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {ours:.2f} s | {theirs:.2f} s | {theirs / ours:.2f} | {bound} |", flush=True)


@contextmanager
def filled(prefix: str, runs: int, megabytes: int) -> Iterator[Bench]:
    """A stack with so much data, for as long as the context lasts; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/var/tmp"))
    folder.chmod(0o755)
    bench = Bench(folder, runs)
    try:
        bench.up()
        # pgbench makes 15 MB for each step of its scale.
        bench.client("pgbench", "-i", "-q", "-s", str(max(megabytes // 15, 1)))
        yield bench
    finally:
        subprocess.run(
            [STACKCTL, "--quiet", "down", "--destroy-data", "--yes-destroy", bench.name], cwd=folder, check=False
        )
        shutil.rmtree(Path(f"/var/lib/stackctl/{bench.name}.backups"), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def full(bench: Bench) -> None:
    """A full backup beside pg_basebackup alone, and beside pg_basebackup and pg_verifybackup."""
    words = (
        "--format=plain",
        "--wal-method=stream",
        "--checkpoint=fast",
        "--manifest-checksums=CRC32C",
        "--no-password",
    )

    def mine() -> None:
        shutil.rmtree(bench.take()["path"])

    def raw(*, verified: bool = False) -> None:
        place = bench.own("raw")
        bench.client("pg_basebackup", *words, "--pgdata", str(place), role="backup")
        if verified:
            bench.client("pg_verifybackup", str(place))
        # As ours does: who writes into memory that was just let go of, which a virtual machine has at hand, is faster.
        shutil.rmtree(place)

    bench.take_turns("backup / pg_basebackup", mine, raw, ">= 0.9")
    bench.take_turns("backup / pg_basebackup, pg_verifybackup", mine, lambda: raw(verified=True), "-")


def verify(bench: Bench) -> None:
    """Verification of a backup beside reading its files, from the disk and from memory."""
    taken = bench.take()
    path = Path(taken["path"])

    def check() -> None:
        bench.stackctl("backup", "verify", taken["id"])

    def read() -> None:
        done(["sh", "-c", f"find {path} -type f -print0 | xargs -0 cat >/dev/null"])

    times = []
    for _ in range(bench.runs):
        forget(path)
        ours = seconds(check)
        forget(path)
        times.append((ours, seconds(read)))
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"| verify / read, from the disk | {ours:.2f} s | {theirs:.2f} s | {theirs / ours:.2f} | >= 0.67 |", flush=True
    )
    bench.take_turns("verify / read, from memory", check, read, "-")
    shutil.rmtree(path)


def restore(bench: Bench) -> None:
    """A restore beside a plain copy that is written to the disk."""
    taken = bench.take()
    data, into = Path(taken["path"]) / "data", bench.folder / "copy"
    words = ("restore", "--backup", taken["id"], "--to", f"lsn:{taken['wal_stop']}", "--into", str(into))

    def mine() -> None:
        bench.stackctl(*words)
        shutil.rmtree(into)

    def copy() -> None:
        done(["cp", "--archive", str(data), str(into)])
        done(["sync", "--file-system", str(into)])
        shutil.rmtree(into)

    bench.take_turns("restore / cp, sync", mine, copy, ">= 0.9")
    shutil.rmtree(taken["path"])


def archive(bench: Bench) -> None:
    """The archive command beside cp and fsync, on segments that are full."""
    place = bench.folder / "segments"
    place.mkdir()
    names = [f"{number + 1:024X}" for number in range(SEGMENTS)]
    for name in names:
        (place / name).write_bytes(bytes(24) + (42).to_bytes(8, "little") + os.urandom(SEGMENT - 32))

    def mine() -> None:
        target = bench.own("archive")
        for name in names:
            done(["sh", str(SCRIPT), str(target), name, name, "3840", "1"], cwd=place)

    def copy() -> None:
        target = bench.own("archive")
        for name in names:
            done(["sh", "-c", f"cp {name} {target}/{name} && sync {target}/{name} {target}"], cwd=place)

    bench.take_turns(f"archive {SEGMENTS} segments / cp, fsync", mine, copy, ">= 0.9")
    shutil.rmtree(place)


def incremental(bench: Bench) -> None:
    """Bytes of an incremental backup after 1 % of the rows changed, beside those of the full one."""
    (rows,) = (int(line) for line in bench.client("psql", "-XAtc", "SELECT max(aid) FROM pgbench_accounts").split())
    taken = []
    for name, which in (("neighbours", f"aid <= {rows // 100}"), ("anywhere", "aid % 100 = 7")):
        taken.append(bench.take())
        bench.client("psql", "-XAtc", f"UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE {which}")  # noqa: S608
        taken.append(bench.take("--incremental"))
        whole, part = (each["bytes"] / 1e6 for each in taken[-2:])
        print(
            f"| incremental / full, 1 % of rows, {name} | {part:.0f} MB | {whole:.0f} MB | {part / whole:.3f} | < 0.1 |"
        )
    for each in taken:
        shutil.rmtree(each["path"])


QUESTIONS = {each.__name__: each for each in (full, verify, restore, archive, incremental)}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], help="all when none is named")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with filled("bench-backup-", given.runs, given.megabytes) as bench:
        print(f"{given.megabytes} MB, load average {os.getloadavg()[0]:.1f}\n")
        print("| what | ours | the other's | ratio | bound |\n|---|---|---|---|---|", flush=True)
        for name in given.questions or QUESTIONS:
            QUESTIONS[name](bench)
        print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
