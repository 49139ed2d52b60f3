"""What bench_app.py measures; each question returns its lines."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from app_load.servers import App, Postgres, cpu_seconds
from app_load.wrk import drive
from bench_settings import interval
from stackctl.hardware.model import PORTABLE_BUILD, HardwareProfile, Storage, Workload
from stackctl.operations.project import catalog_for
from stackctl.render.stack import render_postgres
from stackctl.sizing.model import Sizing
from stackctl.sizing.plan import size
from stackctl.units import GIB, Bytes

Figures = dict[str, float]
LIST, ROW, HEALTH = "/tools?limit=50", "/tools/", "/healthz"
COLUMNS = "tools.name, tools.description, tools.id, tools.created_at, tools.updated_at"
# As the app sends them.
QUERIES = {
    LIST: f"SELECT {COLUMNS} FROM tools WHERE tools.id > 0 ORDER BY tools.id LIMIT 51;",  # noqa: S608
    ROW: f"\\set id random(1, 5000)\nSELECT {COLUMNS} FROM tools WHERE tools.id = :id;",
}
CLIENTS, MANY = 100, 400
LADDER = (50, 100, 200, 400, 800, 1600, 3200)
# Longer than the longest slice needs to see that somebody waits in vain.
PATIENCE_SECONDS, STEP_SECONDS = 10, 13
BYTES_PER_MB = 1e6


@dataclass
class Bench:
    """Where to measure, for how long, and what is found."""

    programs: Path
    folder: Path
    server_cpu: str
    client_cpu: str
    rounds: int
    seconds: int
    lines: list[dict[str, str | float]] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def postgres(self, conf: str, cpu: str = "") -> Postgres:
        """A server that ends with the question."""
        server = Postgres(self.programs, self._place(), conf, cpu)
        self.stack.callback(server.stop)
        return server

    def app(self, environ: Mapping[str, str], workers: int, variant: str = "", cpu: str = "") -> App:
        """An app that ends with the question; a variant is one of variants.py."""
        module = "variants:app" if variant else "app.main:app"
        app = App(self._place(), {**environ, "BENCH_VARIANT": variant}, workers, cpu, module)
        self.stack.callback(app.stop)
        return app

    def _place(self) -> Path:
        return self.folder / str(len(list(self.folder.iterdir())))

    def slice(self, app: App, path: str, postgres: Postgres, cpu: str = "", clients: int = CLIENTS) -> Figures:
        """One slice of some clients, and what an answer costs."""
        mine, theirs = cpu_seconds(app.family()), cpu_seconds(postgres.family())
        seen = drive(app.url(path), clients, self.seconds, cpu, self.folder)
        costs = (cpu_seconds(app.family()) - mine, cpu_seconds(postgres.family()) - theirs)
        per = 1e6 / max(1, seen.requests)
        times = {"p50 ms": seen.p50, "p95 ms": seen.p95, "p99 ms": seen.p99}
        figures = {"requests/s": seen.rate, **times, "app CPU us": costs[0] * per}
        return figures | {"database CPU us": costs[1] * per, "failed": seen.refused + seen.lost}

    def say(self, what: str, metric: str, pairs: list[tuple[float, float]], names: str) -> None:
        """One line: medians of both, and the second's ratio to the first with its interval."""
        first, ratio, low, high = interval(pairs)
        second = statistics.median(b for _, b in pairs)
        line: dict[str, str | float] = {"what": what, "metric": metric, "pair": names, "base": first, "other": second}
        self.lines.append(line | {"ratio": ratio, "low": low, "high": high})
        print(  # noqa: T201
            f"| {what} | {metric} | {names} | {first:.4g} | {second:.4g} | {ratio:.2f} ({low:.2f} to {high:.2f}) |",
            flush=True,
        )


def reference(major: int) -> Sizing:
    """The profile that the requirements speak of."""
    machine = HardwareProfile(Bytes(16 * GIB), 4, Storage.SSD, Bytes(200 * GIB), Workload.WEB, major, 4)
    return size(machine, {}, catalog_for(major), PORTABLE_BUILD)


def rendered(sizing: Sizing) -> tuple[str, dict[str, str]]:
    """postgresql.conf, and the pool's part of the app's environment."""
    conf = next(file.content.decode() for file in render_postgres(sizing) if file.path == "postgresql.conf")
    pool, connections = sizing.pool, sizing.connections
    environ = {"DB_POOL_SIZE": connections.pool_size, "DB_MAX_OVERFLOW": connections.max_overflow}
    environ |= {"DB_POOL_TIMEOUT": pool.timeout_seconds, "DB_POOL_RECYCLE": pool.recycle_seconds}
    environ |= {"PG_STATEMENT_TIMEOUT": pool.statement_timeout, "PG_CONNECT_TIMEOUT": pool.connect_timeout_seconds}
    environ |= {"PG_PREPARED_STATEMENT_CACHE": pool.prepared_statements}
    return conf, {name: str(value) for name, value in environ.items()}


def ask_paths(bench: Bench) -> None:
    """Threads against an asynchronous engine and against FastAPI's own pool of threads, with 2 and 4 workers."""
    conf, environ = rendered(reference(18))
    postgres = bench.postgres(f"{conf}\nmax_connections = 400\n")
    environ["DATABASE_URL"] = postgres.url("app")
    for workers in (2, 4):
        apps = {name: bench.app(environ, workers, name) for name in ("threads", "async", "plain")}
        for path in (LIST, ROW):
            found = _alternate(bench, {n: partial(bench.slice, app, path, postgres) for n, app in apps.items()})
            for other in ("async", "plain"):
                _compare(bench, f"{path}, {workers} workers", found, "threads", other)
        for name in ("async", "plain"):
            pairs = [(a[0], b[0]) for a, b in zip(apps["threads"].memory(), apps[name].memory(), strict=True)]
            bench.say(f"{workers} workers", "resident MB", pairs, f"threads, {name}")
        for app in apps.values():
            app.stop()


def _alternate(bench: Bench, subjects: Mapping[str, partial[Figures]]) -> dict[str, list[Figures]]:
    """In a round each subject has a turn, in random order; the first round warms up and is dropped."""
    found: dict[str, list[Figures]] = {name: [] for name in subjects}
    for _ in range(bench.rounds + 1):
        for name in random.sample(list(subjects), len(subjects)):
            found[name].append(subjects[name]())
    return {name: figures[1:] for name, figures in found.items()}


def _compare(bench: Bench, what: str, found: Mapping[str, list[Figures]], base: str, other: str) -> None:
    for metric in found[base][0]:
        pairs = [(a[metric], b[metric]) for a, b in zip(found[base], found[other], strict=True)]
        if metric != "failed" or any(a or b for a, b in pairs):
            bench.say(what, metric, pairs, f"{base}, {other}")


def ask_bound(bench: Bench) -> None:
    """Measured reads against what HTTP alone and the query alone predict, all servers on one core.

    Two models of the HTTP part: /healthz, and the same route whose page is remembered instead of read. On one core the
    times of a request's parts add up, so the predicted rate is 1 / (1 / HTTP's rate + 1 / the query's rate).
    """
    conf, environ = rendered(reference(18))
    cpu, clients = bench.server_cpu, bench.client_cpu
    postgres = bench.postgres(conf, cpu)
    environ["DATABASE_URL"] = postgres.url("app")
    app, memory = (bench.app(environ, 2, variant, cpu) for variant in ("threads", "memory"))

    def query(path: str) -> Figures:
        before = cpu_seconds(postgres.family())
        rate = postgres.pgbench(QUERIES[path], 50, bench.seconds, clients)
        return {"requests/s": rate, "database CPU us": (cpu_seconds(postgres.family()) - before) / bench.seconds / rate}

    for path in (LIST, ROW):
        subjects = {"app": partial(bench.slice, app, path, postgres, clients), "query": partial(query, path)}
        subjects["healthz"] = partial(bench.slice, app, HEALTH, postgres, clients)
        subjects["remembered"] = partial(bench.slice, memory, path, postgres, clients)
        found = _alternate(bench, subjects)
        rates = {name: [each["requests/s"] for each in figures] for name, figures in found.items()}
        for http in ("healthz", "remembered"):
            predicted = [1 / (1 / h + 1 / q) for h, q in zip(rates[http], rates["query"], strict=True)]
            pairs = list(zip(predicted, rates["app"], strict=True))
            bench.say(path, "reads/s", pairs, f"predicted from {http} and pgbench, measured")
            parts = zip(found[http], found["query"], strict=True)
            needed = [h["app CPU us"] + q["database CPU us"] for h, q in parts]
            used = [each["app CPU us"] + each["database CPU us"] for each in found["app"]]
            bench.say(
                path, "CPU us", list(zip(used, needed, strict=True)), f"measured, predicted from {http} and pgbench"
            )
        bench.say(path, "reads/s", list(zip(rates["query"], rates["app"], strict=True)), "pgbench, app")


def ask_start(bench: Bench) -> None:
    """The rendered stack against the starting point: latency at 100 and 400 clients, and clients until it fails.

    The starting point is taken twice: this app with other settings, and an app that bounds nothing itself.
    """
    conf, environ = rendered(reference(18))
    naive = {"DB_POOL_SIZE": "200", "DB_MAX_OVERFLOW": "0", "DB_POOL_PRE_PING": "false"}
    naive |= {"PG_STATEMENT_TIMEOUT": "0", "PG_PREPARED_STATEMENT_CACHE": "0"}
    sides = {}
    for name, settings, its, variant in (
        ("starting point", "", naive, "threads"),
        ("unbounded", "", naive, "unbounded"),
        ("rendered", conf, environ, "threads"),
    ):
        postgres = bench.postgres(settings)
        sides[name] = (bench.app({**its, "DATABASE_URL": postgres.url("app")}, 4, variant), postgres)
    for path, clients in ((LIST, CLIENTS), (LIST, MANY), (ROW, CLIENTS), (ROW, MANY)):
        slices = {n: partial(bench.slice, app, path, pg, clients=clients) for n, (app, pg) in sides.items()}
        found = _alternate(bench, slices)
        for base in ("starting point", "unbounded"):
            _compare(bench, f"{path}, {clients} clients", found, base, "rendered")
    survived = dict.fromkeys(sides, 0)
    alive = list(sides)
    for clients in LADDER:
        for name in random.sample(alive, len(alive)):
            if _survives(bench, name, sides[name][0], clients):
                survived[name] = clients
            else:
                alive.remove(name)
    for base in ("starting point", "unbounded"):
        bench.say(ROW, "most clients", [(survived[base], survived["rendered"])], f"{base}, rendered")


def _survives(bench: Bench, name: str, app: App, clients: int) -> bool:
    """No answer of 400 and above, no lost connection, nobody waits longer than the patience."""
    seen = drive(app.url(ROW), clients, STEP_SECONDS, "", bench.folder, PATIENCE_SECONDS)
    good = not seen.refused and not seen.lost and seen.p95 < PATIENCE_SECONDS * 1000 and seen.requests >= clients
    said = f"{seen.rate:.0f}/s, p95 {seen.p95:.0f} ms, {seen.refused} refused, {seen.lost} lost"
    print(f"| {name} | {clients} clients | {said} | {'survives' if good else 'fails'} | | |", flush=True)  # noqa: T201
    return good


def ask_memory(bench: Bench) -> None:
    """Resident memory of the largest worker when it is ready, and after each part of the load."""
    conf, environ = rendered(reference(18))
    postgres = bench.postgres(conf)
    app = bench.app({**environ, "DATABASE_URL": postgres.url("app")}, 4)
    before, requests = max(app.memory()), 0
    for _ in range(4):
        for path in (LIST, ROW):
            seconds = bench.rounds * bench.seconds
            requests += drive(app.url(path), CLIENTS, seconds, "", bench.folder).requests
        after = max(app.memory())
        bench.say(f"after {requests} requests", "resident MB", [(before[0], after[0])], "ready, loaded")
        bench.say(f"after {requests} requests", "proportional MB", [(before[1], after[1])], "ready, loaded")


QUESTIONS = {"paths": ask_paths, "bound": ask_bound, "start": ask_start, "memory": ask_memory}
