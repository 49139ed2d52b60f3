#!/usr/bin/env python3
"""Compare values of PostgreSQL's settings on a machine whose speed drifts.

    tools/bench_settings.py /usr/lib/postgresql/17/bin hash

A question starts a throwaway server; each value has a session or a pgbench of its own. In a round each value has a
turn, in random order. The ratio is that of the medians, with a bootstrap 95 % interval: one that holds 1 shows no
difference. Below 1 the other value is better in time and bytes, above 1 in tps. Root's servers run as nobody.
"""
# ruff: noqa: S311, S608, T201

from __future__ import annotations

import argparse
import functools
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

Settings = Mapping[str, str | int]
Variants = Mapping[str, Settings]
Figures = dict[str, float]
OPTIONS: Settings = {"autovacuum": "off", "max_wal_size": "4GB", "jit": "off"}
SERIAL: Settings = {"max_parallel_workers_per_gather": 0}
ITEMS = """CREATE TABLE items AS SELECT i * 7919 % 1000003 AS id, random() AS r, md5(i::text) || md5((-i)::text) AS pad,
           (i % 1000)::int AS kind FROM generate_series(1::bigint, 1000000) AS i"""
GROUPS = "SELECT kind, count(*), avg(r) FROM {} GROUP BY kind"
MANY = """SELECT kind % 10, sum(r), sum(r * (1 - r)), sum(r * (1 - r) * (1 + r)), avg(r), avg(r * r), max(r + id),
          sum(CASE WHEN r < 0.5 THEN r ELSE -r END) FROM {} WHERE r < 0.98 AND id > 10 GROUP BY 1"""


def flags(settings: Settings) -> str:
    """As postgres takes them, and libpq for a session."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


class Server:
    """A throwaway cluster below /var/tmp that is reached by a socket only."""

    def __init__(self, programs: Path, folder: Path, options: Settings) -> None:
        self.programs, self.folder, self.place = programs, folder, dict[str, Any](cwd=folder)
        if os.geteuid() == 0:
            self.place |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody")
        self.run("initdb -D data -U postgres -A trust -N --locale=C --encoding=UTF8")
        self.run("pg_ctl start -w -D data -l log -o", f"-k {folder} -h '' {flags(options)}")

    def run(self, command: str, *more: str, settings: Settings | None = None) -> str:
        """What one of PostgreSQL's programs says, which must succeed."""
        env = {**os.environ, "PGHOST": str(self.folder), "PGUSER": "postgres", "PGOPTIONS": flags(settings or {})}
        program, *words = command.split()
        argv = [str(self.programs / program), *words, *more]
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, check=True, **self.place)
        return str(done.stdout)

    def session(self, settings: Settings) -> psycopg.Connection:
        """A connection whose statements are transactions of their own."""
        return psycopg.connect(f"host={self.folder} user=postgres", options=flags(settings), autocommit=True)

    def sql(self, *statements: str) -> Any:
        """The first value that the last statement returns."""
        with self.session({}) as session:
            for statement in statements:
                cursor = session.execute(statement.encode())
            return next(iter(cursor.fetchone() or [None])) if cursor.description else None

    def used(self) -> tuple[float, float]:
        """Bytes of WAL, and the milliseconds on the CPU of all backends and parallel workers that ended."""
        time.sleep(0.2)  # Until those of the last slice have ended.
        pid = (self.folder / "data/postmaster.pid").read_text().split()[0]
        ticks = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
        cpu = sum(map(int, ticks)) * 1000 / os.sysconf("SC_CLK_TCK")
        return float(self.sql("SELECT pg_current_wal_insert_lsn() - '0/0'")), cpu

    def drive(self, settings: Settings, argv: str) -> Figures:
        """One slice of pgbench: transactions each second, the slow ones, and what each costs."""
        before, times = self.used(), list[int]()
        said = self.run(f"pgbench -n -l -j 2 {argv}", settings=settings)
        wal, cpu = (after - earlier for after, earlier in zip(self.used(), before, strict=True))
        for log in self.folder.glob("pgbench_log.*"):
            times += [int(line.split()[2]) for line in log.read_text().splitlines()]
            log.unlink()
        tps, slow = re.findall(r"tps = ([\d.]+) \(without", said), sorted(times)[len(times) * 95 // 100] / 1000
        return {"tps": float(tps[0]), "p95 ms": slow, "CPU ms": cpu / len(times), "WAL": wal / len(times)}


def interval(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """The first median, its ratio to the second, and where 95 % of the resampled ratios are."""
    samples = [pairs, *(random.choices(pairs, k=len(pairs)) for _ in range(2000))]
    ratios = [statistics.median(b for _, b in each) / (statistics.median(a for a, _ in each) or 1) for each in samples]
    return statistics.median(a for a, _ in pairs), ratios[0], sorted(ratios)[50], sorted(ratios)[1950]


def compare(what: str, subjects: Mapping[str, Any], measure: Callable[[Any], Figures], rounds: int) -> None:
    """Paired rounds, then one line of the table for each metric and each value but the first."""
    measured: dict[str, list[Figures]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name in random.sample(list(subjects), len(subjects)):
            measured[name].append(measure(subjects[name]))
    base, *others = subjects
    for metric in measured[base][0]:
        for name in others:
            pairs = [(a[metric], b[metric]) for a, b in zip(measured[base], measured[name], strict=True)]
            ratio = "{:.4g} | {:.3f} ({:.3f} to {:.3f})".format(*interval(pairs))
            print(f"| {what} | {metric} | {base} | {name} | {ratio} |", flush=True)


def timed(session: psycopg.Connection, statement: str) -> Figures:
    """By the clock, and on the CPU: neighbours disturb that less, but it leaves parallel workers and the disk out."""
    cpu = Path(f"/proc/{session.info.backend_pid}/schedstat")
    begin, used = time.perf_counter(), int(cpu.read_text().split()[0])
    session.execute(statement.encode())
    return {"ms": (time.perf_counter() - begin) * 1e3, "CPU ms": (int(cpu.read_text().split()[0]) - used) / 1e6}


def queries(server: Server, variants: Variants, rounds: int, statements: Mapping[str, str]) -> None:
    """Each value has a session that stays open."""
    sessions = {name: server.session(settings) for name, settings in variants.items()}
    for what, sql in statements.items():
        compare(what, sessions, functools.partial(timed, statement=sql), rounds)


def ask_hash(server: Server, rounds: int) -> None:
    """Joins, groups and sorts by the size of what they hold; the plan is the planner's."""
    probe = "CREATE TABLE probe AS SELECT id * 104729 % 1000003 AS id, repeat(pad, 4) pad FROM items WHERE kind < 250"
    server.sql(ITEMS, probe, "VACUUM ANALYZE")
    values = ((2, "4MB"), (1, "2MB"), (1, "32MB"), (2, "16MB"), (2, "32MB"))
    variants = {f"{f} x {m}": {"work_mem": m, "hash_mem_multiplier": f, **SERIAL} for f, m in values}
    for size in (5, 20, 30, 50, 100):
        join, group, sort = (f"items WHERE items.id < {size * 2**20 // each}" for each in (122, 230, 151))
        kinds = {
            "join": f"SELECT count(i.pad), count(p.pad) FROM probe p JOIN (SELECT * FROM {join}) i USING (id)",
            "groups": f"SELECT count(*) FROM (SELECT id, pad FROM {group} GROUP BY id, pad OFFSET 0) x",
            "sort": f"SELECT count(pad) FROM (SELECT pad, r FROM {sort} ORDER BY r OFFSET 0) x",
        }
        queries(server, variants, rounds, {f"{kind}, {size} MB": sql for kind, sql in kinds.items()})


def ask_jit(server: Server, rounds: int) -> None:
    """Aggregates of 1 and 4 million rows, and joins of 64 partitions."""
    part = "CREATE TABLE part{} PARTITION OF part FOR VALUES WITH (MODULUS 64, REMAINDER {})"
    parts = ["CREATE TABLE part (LIKE items) PARTITION BY HASH (id)", *(part.format(i, i) for i in range(64))]
    parts += ["INSERT INTO part SELECT * FROM items WHERE id < 500000", "CREATE TABLE big (LIKE items)"]
    server.sql(ITEMS, *parts, *["INSERT INTO big SELECT * FROM items"] * 4, "VACUUM ANALYZE")
    on: Settings = {"jit": "on", **SERIAL}
    never: Settings = {"jit_inline_above_cost": -1, "jit_optimize_above_cost": -1, **on}
    variants: Variants = {"off": SERIAL, "on": on, "never optimized": never}
    join = "SELECT count(*), avg(a.r) FROM part a JOIN part b USING"
    sums = {"groups": GROUPS, "expressions": MANY}
    kinds = {f"{what} of {table}": sql.format(table) for what, sql in sums.items() for table in ("items", "big")}
    kinds["join of partitions"] = f"{join} (id) WHERE b.r < 0.5"
    kinds["join of partitions, few rows"] = f"{join} (kind) WHERE a.id + 0 < 100 AND b.id + 0 < 100"
    queries(server, variants, rounds, kinds)


def ask_vacuum(server: Server, rounds: int) -> None:
    """A table of about shared_buffers. The base is stock from 17 on; the server holds the value to 1/8 of those."""
    server.sql(ITEMS, *["INSERT INTO items SELECT * FROM items"] * 2, "CREATE INDEX ON items (id)", "VACUUM ANALYZE")

    def measure(value: str) -> Figures:
        server.sql(f"UPDATE items SET r = r + 1 WHERE id % 5 = {random.randrange(5)}", "CHECKPOINT")
        with server.session({"vacuum_buffer_usage_limit": value}) as session:
            return timed(session, "VACUUM items")

    compare("VACUUM after updating 20 %", {size: size for size in ("2MB", "256kB", "16MB", "64MB")}, measure, rounds)


def ask_slices(server: Server, rounds: int, variants: Variants, scripts: Sequence[str]) -> None:
    """Each value has a slice of each script of pgbench, from a checkpoint on."""
    server.sql(ITEMS, "VACUUM ANALYZE")
    server.run("pgbench -i -q -s 20")
    (server.folder / "sum").write_text(f"{GROUPS.format('items')};\n")
    (server.folder / "index").write_text("CREATE INDEX made ON items (pad);\nDROP INDEX made;\n")

    def measure(settings: Settings, argv: str) -> Figures:
        server.sql("CHECKPOINT")
        return server.drive(settings, argv)

    for argv in scripts:
        compare(f"pgbench {argv}", variants, functools.partial(measure, argv=argv), rounds)


def ask_prefetch(server: Server, rounds: int) -> None:
    """Bitmap scans of a tenth of the pages; cold: the server's own files are dropped from the page cache."""
    server.sql(ITEMS, "INSERT INTO items SELECT id, r, repeat(pad, 5), kind FROM items", "CREATE INDEX ON items (kind)")
    server.sql("VACUUM ANALYZE", "CHECKPOINT")
    plan: Settings = {"enable_seqscan": "off", "enable_indexscan": "off", **SERIAL}
    values = (server.sql("SHOW effective_io_concurrency"), "0", "32", "200")
    sessions = {value: server.session({"effective_io_concurrency": value, **plan}) for value in values}

    def measure(session: psycopg.Connection, drop: str) -> Figures:
        for file in (server.folder / "data/base").glob(drop):
            with file.open("rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        kind = random.randrange(990)
        return timed(session, f"SELECT sum(r) FROM items WHERE kind BETWEEN {kind} AND {kind + 5}")

    for where, drop in {"page cache": "none", "cold": "*/*"}.items():
        compare(f"bitmap scan, {where}", sessions, functools.partial(measure, drop=drop), rounds)


SLICES: dict[str, tuple[Variants, Sequence[str]]] = {
    "gather": (
        {count: {"max_parallel_workers_per_gather": count} for count in ("2", "1", "0")},
        ["-c 1 -T 2 -f sum", "-c 12 -T 4 -f sum", "-c 12 -T 4 -b select-only@998 -f sum@2"],
    ),
    "wal": ({by: {"wal_compression": by} for by in ("off", "pglz", "lz4", "zstd")}, ["-c 4 -T 4", "-t 1 -f index"]),
    "timing": ({"none": {}, "io": {"track_io_timing": 1}, "wal": {"track_wal_io_timing": 1}}, ["-c 4 -T 3", "-S -T 3"]),
}
QUESTIONS: dict[str, Callable[[Server, int], None]] = {
    **{"hash": ask_hash, "jit": ask_jit, "vacuum": ask_vacuum, "prefetch": ask_prefetch},
    **{name: functools.partial(ask_slices, variants=of, scripts=by) for name, (of, by) in SLICES.items()},
}


def main() -> None:
    """Put one question to one server."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("programs", type=Path, help="folder with postgres, initdb and pgbench")
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="bench-settings-", dir="/var/tmp"))
    buffers = "32MB" if given.question in ("prefetch", "timing") else "512MB"
    server = Server(given.programs.resolve(), folder, {**OPTIONS, "shared_buffers": buffers})
    try:
        print("| what | metric | base | other | base's median | ratio |\n" + "|---" * 6 + "|")
        QUESTIONS[given.question](server, given.rounds)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.run("pg_ctl stop -D data -m fast")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
