"""Host and containers: whether there is room, and whether those who watch are well."""

from __future__ import annotations

from grafana.board import Board, Section
from grafana.marks import ANY, ANY_IS_BAD, CPU, DISK, DISK_FULL_IN, LOOK_AGE, MEMORY, SCRAPE, UP
from grafana.panels import Column, Line, Query, Words, stat, table, timeseries
from grafana.promql import backups_are, grown, or_zero, rate, series, total

_CPU, _CPUS = "stackctl_database_cpu_seconds_total", "stackctl_database_cpu_limit"
_MEMORY, _MOST = "stackctl_database_memory_bytes", "stackctl_database_memory_limit_bytes"
_FREE, _SIZE = "stackctl_disk_free_bytes", "stackctl_disk_size_bytes"
_DAY = 86_400


def _of_collectors(name: str) -> str:
    both = (series(f"{prefix}_{name}") for prefix in ("pg_scrape_collector", "stackctl_collector"))
    return f"max by (job, collector) ({' or '.join(both)})"


_STATE = Line(
    4,
    (
        stat(
            Words(
                "CPU in use",
                "CPU that the database takes, as a share of what it may.",
                "See Queries for what takes it, then give it more with `--cpus`.",
            ),
            f"max({rate(_CPU)} / {series(_CPUS)})",
            "percentunit",
            CPU,
        ),
        stat(
            Words(
                "Memory in use",
                "Working set as a share of the limit.",
                "Near 1 the kernel ends a session, and with it all: fewer connections or more memory.",
            ),
            f"max({series(_MEMORY)} / {series(_MOST)})",
            "percentunit",
            MEMORY,
        ),
        stat(
            Words(
                "Sessions ended for memory",
                "How often the kernel killed a process of the database, since the database's container began.",
                "Any: a query took more than the memory proof counts on; `stackctl logs postgres` names it.",
            ),
            f"sum({series('stackctl_database_oom_kills_total')})",
            "none",
            ANY_IS_BAD,
        ),
        stat(
            Words(
                "Memory proof",
                "Whether the settings fit into the limit in the worst case that was counted.",
                "FAILS: `stackctl size` says by how much; take back what was changed by hand, or pin less.",
            ),
            f"min({series('stackctl_memory_proof_passed')})",
            "none",
            says={"1": ("holds", "green"), "0": ("FAILS", "red")},
        ),
        stat(
            Words(
                "Free for data",
                "What is free of the disk of the data.",
                "See what grows on Tables and vacuum and on WAL; with a full disk `stackctl ballast free`.",
            ),
            f"min({series(_FREE, disk='data')} / {series(_SIZE, disk='data')})",
            "percentunit",
            DISK,
        ),
        stat(
            Words(
                "Free for backups",
                "What is free of the disk of the repository.",
                "`stackctl backup expire`, a shorter retention, or a larger disk.",
            ),
            f"min({series(_FREE, disk='repository')} / {series(_SIZE, disk='repository')})",
            "percentunit",
            DISK,
            idle=backups_are("object store"),
        ),
    ),
)
_DATABASE = Line(
    8,
    (
        timeseries(
            Words(
                "Database CPU",
                "CPUs that the database takes, and how many it may.",
                "At its limit everything waits: see Queries.",
            ),
            [Query(f"max({rate(_CPU)})", "taken"), Query(f"max({series(_CPUS)})", "limit")],
            "none",
        ),
        timeseries(
            Words(
                "Database memory",
                "Working set, its limit, and the worst case that the memory proof counted.",
                "Above the proof's: what takes it was not foreseen; look for many operations in one query.",
            ),
            [
                Query(f"max({series(_MEMORY)})", "working set"),
                Query(f"max({series(_MOST)})", "limit"),
                Query(f"max({series('stackctl_memory_proof_bytes')})", "worst case"),
                Query(f"max({series('stackctl_memory_limit_bytes')})", "proved against"),
            ],
            "bytes",
        ),
        timeseries(
            Words(
                "Free disk",
                "Bytes free on each disk.",
                "A slope that ends within days: see the list of disks below.",
            ),
            [Query(f"min by (disk) ({series(_FREE)})", "{{disk}}")],
            "bytes",
        ),
    ),
)
_LISTS = Line(
    7,
    (
        table(
            Words(
                "Disks",
                "Size, what is free, and how long that lasts if it goes on as in the last six hours.",
                "Less than a day: `stackctl ballast free` helps PostgreSQL to start, not to go on; make room.",
            ),
            {"disk": "Disk"},
            [
                Column("Size", f"max by (disk) ({series(_SIZE)})", "bytes"),
                Column("Free", f"min by (disk) ({series(_FREE)})", "bytes"),
                Column(
                    "Full in",
                    f"min by (disk) (({series(_FREE)} / (-deriv({series(_FREE)}[6h]) > 0)) < {365 * _DAY})",
                    "s",
                    DISK_FULL_IN,
                    absent="not foreseen",
                ),
            ],
            "Size",
        ),
        table(
            Words(
                "Targets",
                "Every service that Prometheus reads.",
                "Down: `stackctl logs SERVICE`. A scrape above 200 ms: the service has no CPU, or too many series.",
            ),
            {"job": "Job", "instance": "Instance"},
            [
                Column("Up", f"max by (job, instance) ({series('up')})", "bool_yes_no", UP),
                Column(
                    "Scrape takes",
                    f"max by (job, instance) ({series('scrape_duration_seconds')})",
                    "s",
                    SCRAPE,
                ),
                Column("Samples", f"max by (job, instance) ({series('scrape_samples_scraped')})", "short"),
                Column(
                    "Memory", f"max by (job, instance) ({series('process_resident_memory_bytes')})", "bytes", absent="-"
                ),
            ],
            "Scrape takes",
        ),
    ),
    (11, 13),
)
_WATCHERS = Line(
    8,
    (
        timeseries(
            Words(
                "Collectors and rules that fail",
                "Parts of the exporters that did not get their answer, and rules that could not be evaluated.",
                "`stackctl logs exporter` or `observer` says why; panels that need that part have no data meanwhile.",
            ),
            [
                Query(
                    or_zero(
                        f"count({series('pg_scrape_collector_success')} == 0)", series("pg_scrape_collector_success")
                    ),
                    "postgres_exporter",
                ),
                Query(
                    or_zero(
                        f"count({series('stackctl_collector_success')} == 0)", series("stackctl_collector_success")
                    ),
                    "stackctl",
                ),
                Query(total("", grown("prometheus_rule_evaluation_failures_total")), "rules"),
            ],
            "none",
            ANY,
        ),
        timeseries(
            Words(
                "CPU of those who watch",
                "CPU of each service that reports its own.",
                "Together above a few hundredths of a CPU: too many series, see Targets.",
            ),
            [Query(total("job", rate("process_cpu_seconds_total")), "{{job}}")],
            "none",
        ),
        timeseries(
            Words(
                "Series of Prometheus",
                "Series in memory.",
                "A line that only rises: Targets says which of them has ever more samples.",
            ),
            [
                Query(f"max({series('prometheus_tsdb_head_series')})", "series"),
            ],
            "short",
        ),
    ),
)
_COLLECTORS = Line(
    8,
    (
        table(
            Words(
                "Collectors",
                "Parts of the exporters, failing ones first. Those of stackctl keep their last answer, of this age.",
                "`stackctl logs exporter` and `stackctl logs observer` say why one fails.",
            ),
            {"collector": "Collector", "job": "Job"},
            [
                Column("Answers", _of_collectors("success"), "bool_yes_no", UP),
                Column("Takes", _of_collectors("duration_seconds"), "s"),
                Column(
                    "Age",
                    f"time() - max by (job, collector) ({series('stackctl_collector_timestamp_seconds')})",
                    "s",
                    LOOK_AGE,
                ),
            ],
            "Answers",
            rising=True,
        ),
    ),
)

HOST = Board(
    name="host",
    title="Host and containers",
    description="Whether there is room, and whether those who watch are well.",
    jobs="",
    sections=(
        Section("", (_STATE,)),
        Section("Database", (_DATABASE,)),
        Section("Disks and targets", (_LISTS,)),
        Section("Those who watch", (_WATCHERS, _COLLECTORS)),
    ),
)
