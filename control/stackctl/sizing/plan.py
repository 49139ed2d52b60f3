"""Sizing: one profile and its pins in, everything that is rendered out. Pure."""

from __future__ import annotations

from dataclasses import replace

from stackctl.errors import Problem
from stackctl.hardware.model import Build, HardwareProfile, Pooler
from stackctl.sizing import (
    autovacuum,
    budget,
    connections,
    logging,
    mistakes,
    parallel,
    pgbackrest,
    planner,
    pooler,
    wal,
)
from stackctl.sizing.catalog import Catalog
from stackctl.sizing.extras import pinned_extras, processes
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.memory import Memory
from stackctl.sizing.model import BudgetItem, Connections, MemoryProof, Parameter, Pins, PoolSettings, Sizing, Verdict
from stackctl.sizing.proof import PER_PROCESS, PER_PROCESS_18, Counts, prove, shm_size
from stackctl.sizing.remedy import smallest_change, starved
from stackctl.sizing.report import Report, report_of, role_of
from stackctl.units import GIB, Bytes, Millis, counted, human


def size(profile: HardwareProfile, pins: Pins, catalog: Catalog, build: Build) -> Sizing:
    """Size the whole stack. The same input gives the same result; nothing is read and nothing is written."""
    sizing = _size(profile, pins, catalog, build)
    if sizing.memory.limit <= 0:
        return sizing
    if sizing.memory.verdict is Verdict.FAIL:
        fix = smallest_change(profile, pins, catalog, lambda machine, given: _size(machine, given, catalog, build))
        warnings = tuple(replace(each, hint=fix) if each.code == "memory" else each for each in sizing.warnings)
        return replace(sizing, memory=replace(sizing.memory, fix=fix), warnings=warnings)
    free = _size(profile, {}, catalog, build) if pins else sizing
    if short := [f"{name} {sizing.value(name)}, not {free.value(name)}" for name in starved(sizing, free)]:
        problem = Problem("starved", f"the pins leave {' and '.join(short)}", "smaller pins leave the server more")
        return replace(sizing, warnings=(*sizing.warnings, problem))
    return sizing


def _size(profile: HardwareProfile, pins: Pins, catalog: Catalog, build: Build) -> Sizing:
    shares = budget.divide(profile)
    limit = next(share.memory for share in shares if share.service == "postgres")
    share = budget.database_share(profile)
    ledger = Ledger(catalog, pins)
    max_connections, kept = connections.enter(ledger, profile)
    reports = report_of(ledger, profile, max_connections)
    divided = _divided(
        profile,
        shares,
        (max_connections, kept + connections.more_watchers(profile, max_connections), reports.connections),
        share,
        pins,
    )
    planner.enter(ledger, profile)
    counts, exact = _counts(ledger, profile, build, divided, reports)
    logging.enter(ledger)
    more = (*pinned_extras(ledger, divided), *pgbackrest.memory_items(profile))
    amounts = Memory(ledger, profile, share, exact, reports, more).enter()
    proof = prove(limit, amounts, counts, more)
    pool = pool_settings(pins, ledger.pinned_number("statement_timeout", 30_000))
    return Sizing(
        profile=profile,
        budget=shares,
        connections=divided,
        pool=pool,
        roles=(*connections.roles(divided, profile, ledger, pool.statement_timeout), role_of(reports, ledger)),
        parameters=tuple(sorted(ledger.parameters(), key=_place)),
        memory=proof,
        shm_size=shm_size(amounts, counts),
        stop_grace_seconds=stop_grace(Bytes(int(amounts.shared_buffers))),
        warnings=(
            *_warnings(profile, shares, divided, proof),
            *wal.warnings(ledger, profile),
            *mistakes.find(ledger, profile),
        ),
    )


def _divided(
    profile: HardwareProfile, shares: tuple[BudgetItem, ...], taken: tuple[int, int, int], limit: float, pins: Pins
) -> Connections:
    """The connections by role; `taken` are all of them, those kept back, and those of reports."""
    if profile.pooler is Pooler.NONE:
        return connections.share(*taken, profile.app_workers, limit, pins)
    memory = next(share.memory for share in shares if share.service == "pgbouncer")
    return pooler.share(*taken, profile.app_workers, limit, pins, memory)


def _counts(
    ledger: Ledger, profile: HardwareProfile, build: Build, divided: Connections, reports: Report
) -> tuple[Counts, Counts]:
    """Enter what there is a number of; gives back the numbers in force, and those before they are rounded down."""
    senders = wal.enter(ledger, profile, build)
    workers = parallel.enter(ledger, profile)
    vacuum = autovacuum.enter(ledger)
    counts = Counts(
        processes=processes(ledger),
        per_process=PER_PROCESS_18 if profile.postgres >= 18 else PER_PROCESS,
        app=divided.app_total,
        administrators=ledger.number("superuser_reserved_connections"),
        others=connections.others(divided.max_connections)
        + connections.more_watchers(profile, divided.max_connections),
        senders=senders,
        vacuum=vacuum,
        workers=workers.workers,
        gather=workers.per_gather,
        report=reports.connections,
        report_factor=0.0 if reports.pinned else reports.factor,
        huge_pages=ledger.value("huge_pages").lower() == "on",
    )
    exact = replace(counts, app=divided.app_ceiling, workers=workers.exact_workers, gather=workers.exact_gather)
    return counts, exact


_TOPICS = (
    "Memory",
    "Connections",
    "Planner",
    "Parallelism",
    "WAL and checkpoints",
    wal.ARCHIVING,
    "Autovacuum",
    "Logging",
    "Statistics",
    "Time limits",
    "Pinned",
)


# What a reader looks for first; the others stand in the order in which they are sized.
_FIRST = ("shared_buffers", "effective_cache_size", "work_mem", "hash_mem_multiplier")


def _place(parameter: Parameter) -> tuple[int, int]:
    first = _FIRST.index(parameter.name) if parameter.name in _FIRST else len(_FIRST)
    return _TOPICS.index(parameter.topic), first


def pool_settings(pins: Pins, statement_timeout: int) -> PoolSettings:
    """The app's side of its connections, with the pins of the environment contract in force."""

    def number(name: str, default: int) -> int:
        return int(pins[name].value) if name in pins else default

    pre_ping = pins["DB_POOL_PRE_PING"].value if "DB_POOL_PRE_PING" in pins else "true"
    return PoolSettings(
        timeout_seconds=number("DB_POOL_TIMEOUT", 30),
        recycle_seconds=number("DB_POOL_RECYCLE", 1800),
        pre_ping=pre_ping.lower() in ("true", "on", "yes", "1"),
        connect_timeout_seconds=number("PG_CONNECT_TIMEOUT", 10),
        keepalives_idle_seconds=number("PG_KEEPALIVES_IDLE", 30),
        prepared_statements=number("PG_PREPARED_STATEMENT_CACHE", 100),
        statement_timeout=Millis(number("PG_STATEMENT_TIMEOUT", statement_timeout)),
    )


def stop_grace(shared_buffers: Bytes) -> int:
    """Seconds to wait before SIGKILL: 60, and 8 for each GiB that a shutdown checkpoint may have to write."""
    return min(60 + 8 * (shared_buffers // GIB), 300)


def _warnings(
    profile: HardwareProfile, shares: tuple[BudgetItem, ...], divided: Connections, proof: MemoryProof
) -> tuple[Problem, ...]:
    found = [*_nothing_left(profile, shares, proof)] or _pool_faults(divided)
    names = {share.service for share in shares}
    if "prometheus" not in names:
        found.append(
            Problem(
                "small_host",
                "no monitoring below 1 GiB of RAM",
                "give it 1G or watch it from another machine",
            )
        )
    elif "grafana" not in names:
        found.append(
            Problem("small_host", "no Grafana and no Alertmanager below 2 GiB of RAM", "give it 2G to have them")
        )
    if proof.verdict is Verdict.FAIL and proof.limit > 0:
        message = f"worst case {human(proof.worst_case)} is more than PostgreSQL's limit {human(proof.limit)}"
        found.append(Problem("memory", message, proof.fix or ""))
    if proof.verdict is Verdict.WARN:
        message = f"worst case {human(proof.worst_case)} leaves little of PostgreSQL's limit {human(proof.limit)}"
        found.append(Problem("memory_tight", message, "smaller pins give room"))
    return tuple(found)


def _pool_faults(divided: Connections) -> list[Problem]:
    return pooler.faults(divided) if divided.pooler_clients else connections.faults(divided)


def _nothing_left(profile: HardwareProfile, shares: tuple[BudgetItem, ...], proof: MemoryProof) -> tuple[Problem, ...]:
    """The problem of a machine that the other services fill; no other one matters before it is solved."""
    if proof.limit > 0:
        return ()
    workers, others = profile.app_workers, sum(share.memory for share in shares)
    app = next(share.memory for share in shares if share.service == "app")
    message = (
        f"nothing is left for PostgreSQL: {human(app)} for the app's {counted(workers, 'worker')}, {human(others)} for "
        f"all services beside PostgreSQL, and RAM is {human(profile.ram)}"
    )
    hint = f"--app-workers {budget.feedable_workers(profile)} leaves PostgreSQL its share; or more --ram"
    return (Problem("memory", message, hint),)
