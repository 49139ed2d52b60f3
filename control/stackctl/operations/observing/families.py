"""The metrics of a running server and of what was rendered for it. Pure: rows in, families out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from stackctl.hardware.usage import Usage
from stackctl.health.receiving import ReceiverUse
from stackctl.operations.observing.expected import Expected

Row = Mapping[str, Any]
# Those of pg_stat_io; from 18 on it tells bytes, before that every operation was of one size.
IO_OPERATIONS = ("read", "write", "writeback", "extend", "hit", "evict", "reuse", "fsync")
_TABLE = ("datname", "schemaname", "relname")


def gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    """One number."""
    return GaugeMetricFamily(f"stackctl_{name}", words, value=float(value))


def rendered(expected: Expected, current: str) -> Iterator[Metric]:
    """What holds until the next `up`; `current` is the version of this program."""
    memory = expected.memory
    yield gauge("memory_proof_bytes", "The worst case that the memory proof found", memory.worst_case)
    yield gauge("memory_limit_bytes", "The limit that the worst case was proved against", memory.limit)
    yield gauge("pool_limit", "Connections that the app's pools may open in all", expected.pool_limit)
    info = GaugeMetricFamily("stackctl_build_info", "The version of stackctl", labels=["version"])
    info.add_metric([current], 1)
    yield info


def database(usage: Usage, cpu_limit: float, memory_limit: int) -> Iterator[Metric]:
    """The server's CPU and memory; the limits stand in where nothing enforces any."""
    yield CounterMetricFamily("stackctl_database_cpu_seconds", "CPU time of the database", usage.cpu_seconds)
    yield gauge("database_cpu_limit", "CPUs that the database may use", usage.cpu_limit or cpu_limit)
    yield gauge("database_memory_bytes", "Memory of the database that cannot be given back", usage.memory)
    if limit := usage.memory_limit or memory_limit:
        yield gauge("database_memory_limit_bytes", "Memory that the database may use", limit)
    if usage.oom_kills is not None:
        words = "Processes of the database that were killed for want of memory"
        yield CounterMetricFamily("stackctl_database_oom_kills", words, usage.oom_kills)


def relations(kind: str, rows: Iterable[Row], datname: str) -> Iterator[Metric]:
    """Size and bloat of tables or indexes, and rows of tables; what was never analyzed has a size alone."""
    labels = [*_TABLE, "indexrelname"] if kind == "index" else list(_TABLE)
    size = GaugeMetricFamily(f"stackctl_{kind}_size_bytes", "Size at the last VACUUM or ANALYZE", labels=labels)
    wasted = GaugeMetricFamily(f"stackctl_{kind}_bloat_bytes", "Estimated bytes that hold no row", labels=labels)
    ratio = GaugeMetricFamily(f"stackctl_{kind}_bloat_ratio", "Estimated bloat as a part of the size", labels=labels)
    tuples = GaugeMetricFamily(
        "stackctl_table_rows", "Rows as the planner knows them, also after a crash", labels=labels
    )
    for row in rows:
        values = [datname, row["nspname"], row["relname"], *([row["index"]] if kind == "index" else [])]
        size.add_metric(values, row["bytes"])
        if row["bloat"] is not None:
            wasted.add_metric(values, row["bloat"])
            ratio.add_metric(values, row["bloat"] / row["bytes"])
        if row.get("tuples") is not None:
            tuples.add_metric(values, row["tuples"])
    yield from (size, wasted, ratio, *([tuples] if kind == "table" else []))


def io(rows: Sequence[Row]) -> Iterator[Metric]:
    """Counts, times and bytes of pg_stat_io, without what a kind of process never does."""
    labels = ["backend_type", "object", "context", "operation"]
    count = CounterMetricFamily("stackctl_io_operations", "Operations on files and buffers", labels=labels)
    seconds = CounterMetricFamily("stackctl_io_seconds", "Time of them, with track_io_timing", labels=labels)
    size = CounterMetricFamily("stackctl_io_bytes", "Bytes of them", labels=labels)
    for row in rows:
        for operation in IO_OPERATIONS:
            values = [row["backend_type"], row["object"], row["context"], operation]
            if (times := row.get(_counted(operation))) is not None:
                count.add_metric(values, times)
            if (millis := row.get(f"{operation}_time")) is not None:
                seconds.add_metric(values, millis / 1000)
            if (told := _bytes(row, operation, times)) is not None:
                size.add_metric(values, told)
    yield from (count, seconds, size)


def _counted(operation: str) -> str:
    return f"{operation}es" if operation.endswith("h") else f"{operation}s"


def _bytes(row: Row, operation: str, times: int | None) -> int | None:
    if operation not in ("read", "write", "extend", "writeback") or times is None:
        return None
    if row.get("op_bytes") is not None:
        return int(times * row["op_bytes"])
    told = row.get(f"{operation}_bytes")
    return None if told is None else int(told)


def checksums(rows: Iterable[Row]) -> Iterator[Metric]:
    """Pages that were not as they were written; a cluster without checksums has no row."""
    count = CounterMetricFamily("stackctl_checksum_failures", "Damaged pages that were met", labels=["datname"])
    last = GaugeMetricFamily(
        "stackctl_checksum_last_failure_timestamp_seconds", "When one was last met", labels=["datname"]
    )
    for row in rows:
        count.add_metric([row["datname"]], row["failures"])
        if row["last"] is not None:
            last.add_metric([row["datname"]], row["last"])
    yield from (count, last)


def receiver(use: ReceiverUse) -> Iterator[Metric]:
    """How WAL is received as it is written."""
    yield gauge("receiver_connected", "Whether WAL is received", use.connected)
    if use.behind is not None:
        yield gauge("receiver_lag_bytes", "WAL that was written and is not received", max(use.behind, 0))
    yield gauge("receiver_waiting_commits", "Commits that wait for the receiver", use.waiting)


def disk(name: str, left: int, whole: int) -> Iterator[Metric]:
    """Free bytes and size of one disk."""
    free = GaugeMetricFamily("stackctl_disk_free_bytes", "Bytes that may still be written", labels=["disk"])
    size = GaugeMetricFamily("stackctl_disk_size_bytes", "Size of the disk", labels=["disk"])
    free.add_metric([name], left)
    size.add_metric([name], whole)
    yield from (free, size)
