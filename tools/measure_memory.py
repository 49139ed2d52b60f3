"""Measure the memory of a real PostgreSQL server: what the constants of the memory proof stand on.

measure_memory.py BINDIR: a throwaway cluster of the programs in BINDIR below $TMPDIR, as nobody if root runs it. Prints
the overhead of shared memory, and the peak of each kind of process in MB: the dirty pages of its private mappings.
"""

# ruff: noqa: S608
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

Session = psycopg.Connection[Any]
LOADED = ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "pg_stat_statements.max=10000"]
BOOTED = "listen_addresses= jit=off fsync=off autovacuum_naptime=1s autovacuum_work_mem=1MB shared_buffers=256MB"
PRIVATE = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ...p .*\n(?:[A-Z].*\n)*?Private_Dirty: +(\d+)", re.M)
FIXED = ("postmaster", "checkpointer", "background", "walwriter", "logical", "io", "autovacuum launcher")
COLUMNS = "id serial PRIMARY KEY, a int, b text, c timestamptz DEFAULT now(), d numeric, e jsonb"
ROWS = "SELECT i AS id, i % 100000 AS a, repeat('x', 90) AS b FROM generate_series(1, 2000000) i"
ANALYZE = """CREATE TABLE wide AS SELECT repeat('x', 1500) AS b FROM generate_series(1, 40000); ANALYZE wide"""
PARALLEL = """SET work_mem = '4MB'; SET hash_mem_multiplier = 1; SET enable_sort = off; SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0; SELECT count(*) FROM (SELECT a, count(*), min(b) FROM rows GROUP BY a) x"""


class Server:
    """A throwaway cluster, and the server that `boot` starts on it."""

    postmaster = 0

    def __init__(self, programs: Path) -> None:
        self.programs, self.folder = programs.absolute(), Path(tempfile.mkdtemp(prefix="measure-"))
        self.user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.user = {"user": 65534, "group": 65534, "extra_groups": []}
            os.chown(self.folder, 65534, 65534)
        self.run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-N")

    def boot(self) -> None:
        """Start the server and wait until it answers."""
        words = " ".join([*LOADED, "-k", str(self.folder), *(f"--{setting}" for setting in BOOTED.split())])
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", words, "start")
        self.postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        argv = (str(self.programs / program), *words)
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=True, **self.user)

    def connect(self) -> Session:
        """Open a session that prepares only what it is told to."""
        return psycopg.connect(f"host={self.folder} user=postgres", autocommit=True, prepare_threshold=None)

    def close(self) -> None:
        """End the server and remove its folder."""
        if self.postmaster:
            self.run("pg_ctl", "-D", "data", "-m", "fast", "stop")
        shutil.rmtree(self.folder)

    @contextmanager
    def watched(self) -> Iterator[dict[str, dict[int, float]]]:
        """Sample the postmaster and its children until the block ends: the peak of each, by its title's first word."""
        peaks: dict[str, dict[int, float]] = defaultdict(dict)
        pid, done = self.postmaster, threading.Event()

        def sample(child: int) -> None:
            title = Path(f"/proc/{child}/cmdline").read_text().removeprefix("postgres: ").replace("\0", " ").split()
            name = "postmaster" if child == pid else " ".join(title[: 2 if title[0] == "autovacuum" else 1])
            peaks[name][child] = max(peaks[name].get(child, 0), private(child))

        def sampler() -> None:
            while not done.wait(0.005):
                for child in (pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())):
                    with suppress(OSError, IndexError):  # it has ended
                        sample(child)

        thread = threading.Thread(target=sampler)
        thread.start()
        try:
            yield peaks
        finally:
            done.set()
            thread.join()


def private(pid: int) -> float:
    """MB that only this process has: nothing of the shared memory, which would count where one process touched it."""
    return sum(map(int, PRIVATE.findall(Path(f"/proc/{pid}/smaps").read_text()))) / 1024


def row(*cells: object) -> None:
    """One line of a table."""
    print("|", " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in cells), "|", flush=True)  # noqa: T201


def shared_memory(server: Server) -> None:
    """What `postgres -C shared_memory_size` has beyond shared_buffers and wal_buffers; nothing is allocated."""
    most = (20, 100, 200, 1000)
    row("shared_buffers", *(f"{connections} connections" for connections in most))
    for buffers in (16, 128, 1024, 4096, 8192, 65536):
        words = f"-D data -C shared_memory_size --wal_buffers=16MB --shared_buffers={buffers}MB".split() + LOADED
        sizes = [server.run("postgres", *words, f"--max_connections={connections}").stdout for connections in most]
        row(f"{buffers} MB", *(int(size) - buffers - 16 for size in sizes))


def fill(db: Session) -> None:
    """Tables of a small app and of a big schema, a large table half of which is dead, and 10000 statements of 1 kB."""
    db.execute("CREATE EXTENSION pg_stat_statements")
    for name in (*(f"app{n}" for n in range(30)), *(f"big{n}" for n in range(300))):
        db.execute(f"CREATE TABLE {name} ({COLUMNS}); CREATE INDEX ON {name} (a, c); CREATE INDEX ON {name} (b)")
        db.execute(f"INSERT INTO {name} (a, b, d) SELECT i, 'x' || i, i FROM generate_series(1, 100) i")
    db.execute(f"CREATE TABLE rows AS {ROWS}")
    db.execute("CREATE INDEX ON rows (id); DELETE FROM rows WHERE a % 2 = 0")
    for n in range(300):
        db.execute("; ".join(f"SELECT {'a + ' * k}a /* {'x' * 900} */ FROM big{n} WHERE id = 0" for k in range(34)))
    time.sleep(20)  # autovacuum is at work


def web(db: Session) -> None:
    """A hundred prepared statements over thirty tables, each often enough for a generic plan."""
    for n in range(100):
        one, two, three = (f"app{(n + step) % 30}" for step in (0, 7, 13))
        sql = f"SELECT x.*, y.b, count(*) FROM {one} x JOIN {two} y ON y.id = x.a LEFT JOIN {three} z ON z.a = y.id"
        sql += f" WHERE x.id = %s AND y.a > {n} GROUP BY x.id, y.b ORDER BY x.c LIMIT 20"
        for key in range(8):
            db.execute((sql if n % 4 else f"INSERT INTO {one} (a) VALUES (%s)"), [key], prepare=True)


def touch(db: Session) -> None:
    """Read every table of the big schema."""
    for n in range(300):
        db.execute(f"SELECT * FROM big{n} x JOIN big{(n + 1) % 300} y USING (id) WHERE x.a = 5 AND y.b = 'x'")


def monitor(db: Session) -> None:
    """What an exporter asks."""
    for view in ("activity", "database", "user_tables", "user_indexes", "bgwriter", "archiver", "statements"):
        db.execute(f"SELECT * FROM pg_stat_{view} ORDER BY 1 LIMIT 100")


def processes(server: Server) -> None:
    """The peak of each kind of process."""

    def largest(name: str, kind: str, work: Callable[[], object]) -> None:
        with server.watched() as peaks:
            work()
        row(name, max(peaks[kind].values(), default=0.0))

    def session(name: str, *works: Callable[[Session], object]) -> None:
        with server.connect() as db, server.watched() as peaks:
            for work in works:
                work(db)
            pid, kept = db.info.backend_pid, private(db.info.backend_pid)
        row(name, max([kept, *(of[pid] for of in peaks.values() if pid in of)]), f"keeps {kept:.1f}")

    def client(*words: str) -> None:
        server.run(words[0], "-h", str(server.folder), "-U", "postgres", *words[1:])

    with server.connect() as db:
        largest("autovacuum worker, autovacuum_work_mem 1 MB", "autovacuum worker", lambda: fill(db))
        session("idle session")
        session("web session", web)
        session("session, 300 tables", touch)
        session("session, web and 300 tables", web, touch)
        session("monitoring session", monitor)
        session("ANALYZE of rows of 1.5 kB, whose sample is kept", lambda db: db.execute(ANALYZE))
        largest("parallel worker, work_mem 4 MB", "parallel", lambda: db.execute(PARALLEL))
    largest("WAL sender, backup", "walsender", lambda: client("pg_basebackup", "-D", "copy", "-c", "fast"))
    largest("pg_dump's session", "postgres", lambda: client("pg_dump", "-f", "dump", "postgres"))
    with server.watched() as peaks:
        time.sleep(1)
    fixed = {name: sum(peaks[name].values()) for name in FIXED}
    row("fixed processes", sum(fixed.values()), ", ".join(f"{name} {size:.1f}" for name, size in fixed.items()))


def main() -> None:
    """Measure one version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bindir", type=Path, help="the folder with postgres, initdb and pg_basebackup")
    with closing(Server(parser.parse_args().bindir)) as server:
        shared_memory(server)
        server.boot()
        processes(server)


if __name__ == "__main__":
    main()
