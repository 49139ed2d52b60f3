"""Sizing as a whole: the reference machine against the requirements, pins, and what must always hold."""

import re
from pathlib import Path

import pytest

from profiles import GIB, MIB, changed, sized
from stackctl import assets
from stackctl.hardware.model import FULL_BUILD, PORTABLE_BUILD, Build, Pooler, Storage, Workload
from stackctl.sizing.model import Verdict
from stackctl.units import Bytes

# Requirements S1 to S8 and C1, by hand.
AT_REFERENCE = {
    "shared_buffers": "4GB",
    "effective_cache_size": "12GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "1GB",
    "autovacuum_work_mem": "160MB",
    "hash_mem_multiplier": "1.0",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "default_statistics_target": "100",
    "jit": "off",
    "max_connections": "200",
    "max_prepared_transactions": "0",
    "superuser_reserved_connections": "3",
    "reserved_connections": "2",
    "wal_buffers": "16MB",
    "min_wal_size": "1GB",
    "max_wal_size": "4GB",
    "max_slot_wal_keep_size": "12GB",
    "wal_compression": "lz4",
    "wal_level": "replica",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "max_wal_senders": "5",
    "autovacuum": "on",
    "autovacuum_max_workers": "4",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_threshold": "50",
    "autovacuum_analyze_threshold": "50",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.025",
    "autovacuum_vacuum_cost_limit": "2000",
    "autovacuum_vacuum_cost_delay": "2ms",
    "log_min_duration_statement": "1s",
    "log_checkpoints": "on",
    "log_lock_waits": "on",
    "log_connections": "on",
    "log_disconnections": "on",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.max": "10000",
    "idle_in_transaction_session_timeout": "5min",
    "max_parallel_workers": "4",
}


@pytest.mark.parametrize(("name", "value"), AT_REFERENCE.items())
def test_parameters_of_the_reference_machine(name, value):
    assert sized().value(name) == value


@pytest.mark.parametrize(
    ("file", "line"),
    [(".env.example", r"#PG_([A-Z_]+)=(\S+)"), ("config/stackctl.example.yaml", r"  #([a-z_]+): (\S+)")],
)
def test_the_example_files_show_what_the_reference_machine_gets(file, line):
    text = (Path(assets.root()) / file).read_text().partition("\nreport:")[0]
    shown = {name.lower(): value for name, value in re.findall(f"(?m)^{line}$", text)}
    names = ("shared_buffers", "work_mem", "maintenance_work_mem", "effective_cache_size", "max_connections")
    assert {name: shown[name] for name in names} == {name: AT_REFERENCE[name] for name in names}


def test_a_parameter_that_is_left_alone_has_no_value():
    with pytest.raises(KeyError):
        sized().value("fsync")


@pytest.mark.parametrize("letters", ["%m", "%p", "%u", "%d", "%a", "%h"])
def test_log_lines_say_when_who_and_where(letters):
    assert letters in sized().value("log_line_prefix")


def test_connections_of_the_reference_machine():
    shape = sized().connections
    assert (shape.max_connections, shape.workers, shape.pool_size, shape.max_overflow) == (200, 4, 20, 5)
    # 3 for the administrator, 2 for monitoring and backup, 5 for each of three roles, 2 for reports
    assert (shape.app_total, shape.reserved, shape.headroom) == (100, 22, 78)
    assert shape.upper_bound == 35  # (200 - 22) / (4 + 1)


def test_budget_of_the_reference_machine():
    shares = {item.service: (item.memory // MIB, item.cpus) for item in sized().budget}
    # CPUs: 4 x the weight / 103, rounded down to hundredths
    assert shares == {
        "system": (1024, 0.11),
        "postgres": (12_697, 1.74),
        "app": (1024, 1.04),
        "migrate": (128, 0.38),
        "exporter": (128, 0.11),
        "observer": (102, 0.11),
        "prometheus": (768, 0.19),
        "alertmanager": (128, 0.07),
        "grafana": (384, 0.19),
    }


def test_roles_of_the_reference_machine():
    roles = {role.name: (role.connection_limit, dict(role.settings)) for role in sized().roles}
    assert roles == {
        "owner": (5, {"work_mem": "4MB", "statement_timeout": "0", "transaction_timeout": "0"}),
        "app": (
            100,
            {
                "statement_timeout": "30000ms",
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
                "transaction_timeout": "5min",
                "tcp_keepalives_idle": "10s",
                "tcp_keepalives_interval": "5s",
                "tcp_keepalives_count": "3",
            },
        ),
        "monitor": (5, {"work_mem": "4MB", "statement_timeout": "10s", "lock_timeout": "1s"}),
        "backup": (5, {"work_mem": "4MB", "statement_timeout": "0", "transaction_timeout": "0"}),
        "report": (
            2,
            {
                "work_mem": "64MB",
                "enable_parallel_hash": "off",
                "default_transaction_read_only": "on",
                "statement_timeout": "10min",
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
                "transaction_timeout": "30min",
            },
        ),
    }


def test_the_rest_of_the_reference_machine():
    sizing = sized()
    assert (sizing.shm_size, sizing.stop_grace_seconds, sizing.warnings) == (GIB, 92, ())
    assert sizing.pool.statement_timeout == 30_000
    assert (sizing.pool.timeout_seconds, sizing.pool.recycle_seconds, sizing.pool.pre_ping) == (30, 1800, True)
    assert (sizing.pool.connect_timeout_seconds, sizing.pool.keepalives_idle_seconds) == (10, 30)
    assert sizing.pool.prepared_statements == 100


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"storage": Storage.HDD}, "random_page_cost", "4.0"),
        ({"storage": Storage.HDD}, "effective_io_concurrency", "2"),
        ({"storage": Storage.NVME}, "random_page_cost", "1.1"),
        ({"storage": Storage.NETWORK}, "effective_io_concurrency", "200"),
        ({"workload": Workload.OLAP}, "jit", "on"),
        ({"workload": Workload.MIXED}, "jit", "off"),
        ({"workload": Workload.OLTP}, "max_connections", "200"),
        ({"workload": Workload.OLTP, "ram_mib": 65_536}, "max_connections", "300"),
        ({"workload": Workload.OLAP}, "max_connections", "100"),
        ({"workload": Workload.OLAP, "cpus": 16}, "max_parallel_workers_per_gather", "8"),
        ({"ram_mib": 65_536}, "shared_buffers", "8GB"),
        ({"ram_mib": 65_536}, "maintenance_work_mem", "2GB"),
        ({"ram_mib": 8192}, "shared_buffers", "2GB"),
        ({"ram_mib": 8192}, "max_connections", "100"),
        ({"cpus": 1}, "max_parallel_workers_per_gather", "0"),
        ({"disk_gib": 10}, "max_wal_size", "2GB"),
        ({"disk_gib": 10}, "min_wal_size", "512MB"),
        ({"disk_gib": 10}, "max_slot_wal_keep_size", "3GB"),
        ({"disk_gib": 1}, "max_wal_size", "192MB"),
        ({"disk_gib": 1}, "min_wal_size", "48MB"),
        ({"disk_gib": 1}, "max_slot_wal_keep_size", "304MB"),
        ({"workload": Workload.OLAP, "disk_gib": 2000}, "max_wal_size", "16GB"),
    ],
)
def test_other_machines(fields, name, value):
    assert sized(changed(**fields)).value(name) == value


@pytest.mark.parametrize(
    ("build", "workload", "method"),
    [
        (FULL_BUILD, Workload.WEB, "lz4"),
        (FULL_BUILD, Workload.OLAP, "lz4"),
        (Build(zstd=True), Workload.WEB, "zstd"),
        (PORTABLE_BUILD, Workload.WEB, "off"),
        (PORTABLE_BUILD, Workload.OLAP, "off"),
    ],
)
def test_wal_is_compressed_by_the_best_the_build_has(build, workload, method):
    assert sized(changed(workload=workload), build).value("wal_compression") == method


def _services(ram_mib, workers):
    sizing = sized(changed(ram_mib=ram_mib, app_workers=workers, cpus=2))
    return {item.service for item in sizing.budget}, [warning.message for warning in sizing.warnings]


def test_below_2_gib_there_is_no_grafana_and_no_alertmanager():
    services, warnings = _services(2047, 1)
    assert services == {"system", "postgres", "app", "migrate", "exporter", "observer", "prometheus"}
    assert warnings == ["no Grafana and no Alertmanager below 2 GiB of RAM"]


def test_below_1_gib_there_is_no_monitoring():
    services, warnings = _services(1023, 1)
    assert services == {"system", "postgres", "app", "migrate"}
    assert warnings == ["no monitoring below 1 GiB of RAM"]


def test_from_2_gib_everything_runs():
    services, warnings = _services(2048, 2)
    assert {"exporter", "prometheus", "alertmanager", "grafana"} <= services
    assert warnings == []


@pytest.mark.parametrize("ram_mib", [768, 1024, 1536])
def test_small_machines_take_at_least_20_connections(ram_mib):
    shape = sized(changed(ram_mib=ram_mib, app_workers=1, cpus=1)).connections
    assert shape.max_connections == 20
    assert (shape.reserved, shape.headroom >= 0) == (11, True)  # 3 + 3 x 2 + 1 more that watches + 1


def test_budget_of_a_small_machine():
    sizing = sized(changed(ram_mib=2048, cpus=2, app_workers=2))
    assert {item.service: item.memory // MIB for item in sizing.budget} == {
        "system": 128,
        "app": 352,
        "migrate": 128,
        "exporter": 64,
        "observer": 80,
        "prometheus": 102,
        "alertmanager": 64,
        "grafana": 256,
        "postgres": 873,
    }
    shape = sizing.connections
    assert (shape.max_connections, shape.pool_size, shape.max_overflow, shape.app_total) == (25, 4, 0, 8)


def test_a_pooler_gets_its_share():
    assert sized(changed(pooler=Pooler.PGBOUNCER)).share("pgbouncer").memory == 128 * MIB
    assert sized().share("pgbouncer") is None


def test_fewer_connections_shrink_the_pools_and_leave_more_work_mem():
    sizing = sized(max_connections="100")
    shape = sizing.connections
    assert (shape.pool_size, shape.max_overflow, shape.app_total, shape.reserved) == (10, 2, 48, 14)
    assert sizing.value("work_mem") == "64MB"  # 5043 MiB over 48 + 3 + 4.59 + 2 x (2 + 4) operations: 74.6, so the cap
    assert sizing.memory.verdict is Verdict.OK


def test_pinned_buffers_change_the_proof():
    items = {item.name: item.size for item in sized(shared_buffers="2GB").memory.items}
    assert items["shared memory"] == 2_251_853_529  # 1.031 x 2 GiB + 24 MiB + 257 x 48 KiB


def test_larger_pinned_buffers_leave_less_work_mem():
    sizing = sized(shared_buffers="6GB")
    assert sizing.value("work_mem") == "10MB"  # 3859 - 2048 x (1.031 + 131 / 512) MiB over 119.59 operations: 10.2 MiB
    assert sizing.memory.verdict is Verdict.OK


def test_a_pinned_hash_multiplier_halves_work_mem():
    sizing = sized(hash_mem_multiplier="2.0")
    assert sizing.value("work_mem") == "15MB"  # 3859 - 15 x 4 MiB over 119.59 x 2 operations: 15.9 MiB
    assert sizing.memory.verdict is Verdict.OK


def test_a_pinned_work_mem_decides_whether_hashes_may_have_twice_as_much():
    # 40 GiB: twice the cap of 64MB fits, twice 100MB does not
    machine = changed(ram_mib=40_960, cpus=8, app_workers=8)
    assert sized(machine).value("hash_mem_multiplier") == "2.0"
    pinned = sized(machine, work_mem="100MB")
    assert (pinned.value("hash_mem_multiplier"), pinned.memory.verdict) == ("1.0", Verdict.OK)


def test_pinned_maintenance_memory_bounds_autovacuum():
    assert sized(maintenance_work_mem="64MB").value("autovacuum_work_mem") == "16MB"


def test_autovacuum_without_a_limit_of_its_own_counts_as_maintenance():
    items = {item.name: item.size for item in sized(autovacuum_work_mem="-1").memory.items}
    assert items["autovacuum"] == 4 * (1024 + 11) * MIB


def test_pinned_wal_size_moves_what_follows_from_it():
    sizing = sized(max_wal_size="8GB")
    assert (sizing.value("min_wal_size"), sizing.value("max_slot_wal_keep_size")) == ("2GB", "24GB")


def test_more_connections_kept_for_the_administrator_leave_fewer():
    assert sized(superuser_reserved_connections="23").connections.reserved == 42


def test_app_pins_reach_the_pool():
    sizing = sized(DB_POOL_SIZE="7", DB_MAX_OVERFLOW="0", DB_POOL_PRE_PING="off", PG_STATEMENT_TIMEOUT="5000")
    assert (sizing.connections.app_total, sizing.pool.pre_ping) == (28, False)
    assert {role.name: role for role in sizing.roles}["app"].settings["statement_timeout"] == "5000ms"


def test_pools_that_want_more_than_the_server_gives():
    sizing = sized(DB_POOL_SIZE="60", DB_MAX_OVERFLOW="10")
    problem = next(warning for warning in sizing.warnings if warning.code == "pool_too_large")
    assert problem.message == (
        "pools of 4 workers x 70 = 280 connections, with 22 reserved, are more than max_connections 200"
    )
    assert problem.hint == "at most 35 per worker (pool size + overflow), or fewer workers"
    mended = sized(DB_POOL_SIZE="35", DB_MAX_OVERFLOW="0", work_mem="4MB")
    assert (mended.connections.headroom, mended.warnings) == (38, ())


def test_pools_that_leave_a_reload_no_room_are_told():
    sizing = sized(DB_POOL_SIZE="40", work_mem="8MB")
    (problem,) = sizing.warnings
    # 4 x 40 = 160 and 22 reserved are 182 of 200, but a fifth worker would need 40 more
    assert (problem.code, problem.hint) == ("pool_tight", "at most 35 per worker (pool size + overflow)")


def test_a_pinned_pool_has_a_fifth_as_overflow_within_the_bound():
    shapes = [sized(DB_POOL_SIZE=size, work_mem="8MB").connections for size in ("8", "20", "34", "40")]
    assert [shape.max_overflow for shape in shapes] == [2, 5, 1, 0]


def test_what_helps_where_even_one_connection_for_each_worker_is_too_much():
    sizing = sized(changed(ram_mib=262_144, app_workers=256))
    problem = next(warning for warning in sizing.warnings if warning.code == "pool_too_large")
    assert problem.hint == "fewer workers, or --connections 534"
    mended = sized(changed(ram_mib=262_144, app_workers=256), max_connections="534")
    assert "pool_too_large" not in {warning.code for warning in mended.warnings}


@pytest.mark.parametrize(
    ("name", "value", "given"),
    [
        ("lock_timeout", "5s", "5s"),
        ("idle_in_transaction_session_timeout", "10s", "10s"),
        ("transaction_timeout", "1min", "1min"),
        ("statement_timeout", "5s", "5000ms"),
    ],
)
def test_a_pinned_time_limit_reaches_the_app(name, value, given):
    roles = {role.name: role.settings for role in sized(**{name: value}).roles}
    assert roles["app"][name] == given
    assert roles["backup"]["statement_timeout"] == roles["owner"]["statement_timeout"] == "0"


def test_the_apps_own_limit_wins_over_the_servers():
    sizing = sized(statement_timeout="5s", PG_STATEMENT_TIMEOUT="7000")
    assert {role.name: role.settings for role in sizing.roles}["app"]["statement_timeout"] == "7000ms"


def test_without_reserved_connections_15_keeps_fewer_back():
    assert sized(changed(postgres=15)).connections.reserved == 20  # 3 + 3 x 5 + 2


def test_a_pinned_max_wal_size_is_what_to_change():
    (warning,) = sized(changed(wal_rate=Bytes(5 * MIB)), max_wal_size="1GB").warnings
    assert warning.hint == "max_wal_size 8560MB would do; the disk holds it"


def test_more_workers_than_the_machine_can_feed_are_refused():
    sizing = sized(changed(ram_mib=1024, app_workers=64))
    assert "memory" in {warning.code for warning in sizing.warnings}


def test_where_the_app_fills_the_machine_the_first_problem_says_so():
    # 256 system + 128 + 64 x 144 app + 128 migrate + 64 + 80 + 204 + 64 + 256 monitoring = 10396 MiB of 4096
    problem = sized(changed(ram_mib=4096, app_workers=64)).warnings[0]
    assert problem.code == "memory"
    assert problem.message == (
        "nothing is left for PostgreSQL: 9.1 GiB for the app's 64 workers, 10.2 GiB for all services beside "
        "PostgreSQL, and RAM is 4 GiB"
    )
    # 4096 - 1180.8 - 13 x 144 = 1043.2 MiB, and 899 with one worker more: a quarter is 1024
    assert problem.hint == "--app-workers 13 leaves PostgreSQL its share; or more --ram"
    assert sized(changed(ram_mib=4096, app_workers=13)).memory.limit == 1043 * MIB


@pytest.mark.parametrize("ram_mib", [768, 1024, 1536, 1664, 2048, 4096, 8192, 16_384])
def test_with_the_workers_of_the_hint_the_machine_passes(ram_mib):
    hint = sized(changed(ram_mib=ram_mib, app_workers=256, cpus=2)).warnings[0].hint
    workers = int(re.search(r"--app-workers (\d+) ", hint)[1])
    mended = sized(changed(ram_mib=ram_mib, app_workers=workers, cpus=2))
    assert not {"memory", "pool_too_large"} & {warning.code for warning in mended.warnings}


def test_pinned_libraries_are_loaded_with_the_statistics():
    assert sized(shared_preload_libraries="auto_explain").value("shared_preload_libraries") == (
        "pg_stat_statements, auto_explain"
    )


@pytest.mark.parametrize("postgres", [15, 16, 17, 18])
def test_every_version_gets_the_reference_values(postgres):
    sizing = sized(changed(postgres=postgres))
    names = {parameter.name for parameter in sizing.parameters}
    lacking = {"reserved_connections"} if postgres == 15 else set()
    assert names >= set(AT_REFERENCE) - lacking
    assert not names & lacking
    app = next(role for role in sizing.roles if role.name == "app")
    assert ("transaction_timeout" in app.settings) is (postgres >= 17)


@pytest.mark.parametrize(("postgres", "limit"), [(16, "2MB"), (17, None), (18, None), (15, None)])
def test_a_vacuum_gets_the_buffers_of_17(postgres, limit):
    """256kB is stock of 16 only; 15 has no such parameter."""
    found = {p.name: p.value for p in sized(changed(postgres=postgres)).parameters}
    assert found.get("vacuum_buffer_usage_limit") == limit


def test_slots_follow_a_pinned_number_of_autovacuum_workers():
    assert sized(changed(postgres=18), autovacuum_max_workers="20").value("autovacuum_worker_slots") == "20"
    assert "autovacuum_worker_slots" not in {p.name for p in sized(changed(postgres=18)).parameters}


@pytest.mark.parametrize(
    ("fields", "workers", "gather"),
    [
        ({"cpus": 1}, 2, 0),
        ({"cpus": 2}, 2, 1),
        ({"cpus": 16}, 8, 2),
        ({"cpus": 32}, 16, 2),
        ({"cpus": 16, "workload": Workload.MIXED}, 16, 4),
        ({"cpus": 16, "workload": Workload.OLAP}, 16, 8),
        ({"cpus": 64, "workload": Workload.OLAP}, 64, 8),
        ({"cpus": 64, "ram_mib": 4096, "workload": Workload.OLAP}, 16, 8),
        ({"cpus": 64, "ram_mib": 1024, "workload": Workload.OLAP, "app_workers": 1}, 4, 4),
    ],
)
def test_parallel_workers_by_cpus_workload_and_ram(fields, workers, gather):
    sizing = sized(changed(**fields))
    values = {p.name: p.value for p in sizing.parameters}
    assert values.get("max_parallel_workers", "8") == str(workers)
    assert values.get("max_parallel_workers_per_gather", "2") == str(gather)


@pytest.mark.parametrize("name", ["max_parallel_workers", "max_worker_processes", "max_parallel_workers_per_gather"])
def test_what_equals_the_default_is_not_written(name):
    # 8 CPUs: 8 parallel workers, 12 processes, 2 for each query
    written = {p.name for p in sized(changed(cpus=8)).parameters}
    assert (name in written) is (name == "max_worker_processes")


@pytest.mark.parametrize(
    ("rate_mib", "disk_gib", "size", "warned"),
    [
        (1, 200, "1712MB", False),  # 1 MiB/s x 900 s x 1.9 = 1710 MiB, in segments of 16
        (5, 200, "8560MB", False),  # 8550
        (0.1, 200, "1GB", False),  # stock
        (50, 200, "40GB", True),  # a fifth of the disk; 83.5 GiB were wanted
        (5, 20, "4GB", True),
    ],
)
def test_max_wal_size_follows_the_rate(rate_mib, disk_gib, size, warned):
    sizing = sized(changed(disk_gib=disk_gib, wal_rate=Bytes(int(rate_mib * MIB))))
    assert sizing.value("max_wal_size") == size
    assert ("checkpoints_forced" in {warning.code for warning in sizing.warnings}) is warned


def test_the_warning_says_how_often_and_what_would_do():
    (warning,) = sized(changed(wal_rate=Bytes(50 * MIB))).warnings
    # 40 GiB / 1.9 / 50 MiB/s = 431 s; 50 x 1710 MiB = 83.5 GiB, five times that
    assert warning.message == "at 50 MiB/s of WAL, max_wal_size 40GB starts a checkpoint every 7.2 min, not 15"
    assert warning.hint == "a disk of 417.5 GiB would hold enough (--disk)"


def test_a_shorter_timeout_needs_less_wal():
    assert sized(changed(wal_rate=Bytes(5 * MIB)), checkpoint_timeout="5min").value("max_wal_size") == "2864MB"
