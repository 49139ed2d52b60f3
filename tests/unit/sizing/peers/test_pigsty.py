"""Pigsty: its templates rendered for five machines, and what each template has of its own."""

import pytest

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.peers import pigsty
from stackctl.units import GIB, MIB, Bytes


def _profile(cpus=8, ram=32768, disk=500, workload="web", storage="ssd", postgres=18):
    sizes = Bytes(ram * MIB), cpus, Storage(storage), Bytes(disk * GIB)
    return HardwareProfile(*sizes, Workload(workload), postgres, app_workers=4)


RENDERED = [
    (
        "oltp", 8, 32768, 500,
        {
            "shared_buffers": "8192MB", "effective_cache_size": "24576MB", "maintenance_work_mem": "2048MB",
            "work_mem": "64MB", "min_wal_size": "25GB", "max_wal_size": "100GB", "max_slot_wal_keep_size": "150GB",
            "temp_file_limit": "25GB", "max_worker_processes": "24", "max_parallel_workers": "4",
            "max_parallel_workers_per_gather": "2", "max_parallel_maintenance_workers": "3", "io_workers": "4",
        },
    ),
    (
        "oltp", 4, 16384, 200,
        {
            "shared_buffers": "4096MB", "effective_cache_size": "12288MB", "maintenance_work_mem": "1024MB",
            "work_mem": "64MB", "min_wal_size": "10GB", "max_wal_size": "40GB",
        },
    ),
    (
        "olap", 16, 65536, 1000,
        {
            "shared_buffers": "16384MB", "effective_cache_size": "49152MB", "maintenance_work_mem": "8192MB",
            "work_mem": "64MB", "min_wal_size": "50GB", "max_wal_size": "200GB", "temp_file_limit": "200GB",
            "max_worker_processes": "36", "max_parallel_workers": "13", "max_parallel_workers_per_gather": "8",
            "io_workers": "8",
        },
    ),
    ("crit", 16, 65536, 1000, {"max_parallel_workers_per_gather": "0", "io_workers": "4"}),
    (
        "tiny", 2, 4096, 40,
        {
            "shared_buffers": "1024MB", "effective_cache_size": "3072MB", "maintenance_work_mem": "256MB",
            "work_mem": "16MB", "min_wal_size": "2GB", "max_wal_size": "8GB", "max_connections": "250",
            "max_parallel_workers_per_gather": "0", "io_workers": "3",
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("template", "cpus", "ram", "disk", "expected"), RENDERED)
def test_rendered(template, cpus, ram, disk, expected):
    given = pigsty.peer(_profile(cpus, ram, disk), template)
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("workload", "cpus", "statistics"),
    [
        ("web", 4, "400"),
        ("oltp", 4, "400"),
        ("mixed", 64, "400"),
        ("dev", 4, "400"),
        ("olap", 4, "1000"),
        ("olap", 3, "200"),
        ("web", 1, "200"),
    ],
)
def test_the_machine_and_the_workload_choose_the_template(workload, cpus, statistics):
    assert pigsty.peer(_profile(cpus, workload=workload))["default_statistics_target"] == statistics


@pytest.mark.parametrize(
    ("template", "pooled", "direct"),
    [("oltp", "500", "1000"), ("olap", "500", "500"), ("crit", "500", "1000"), ("tiny", "250", "250")],
)
def test_connections_are_those_behind_its_pooler(template, pooled, direct):
    assert pigsty.peer(_profile(), template)["max_connections"] == pooled
    assert pigsty.peer(_profile(), template, direct=True)["max_connections"] == direct


@pytest.mark.parametrize(("disk", "size"), [(1, "1GB"), (20, "1GB"), (21, "2GB"), (2000, "100GB"), (9000, "100GB")])
def test_a_twentieth_of_the_disk_has_bounds(disk, size):
    assert pigsty.peer(_profile(disk=disk))["min_wal_size"] == size


def test_work_mem_between_its_bounds():
    # a quarter of 512 GiB over 500 connections is 262 MB
    assert pigsty.peer(_profile(ram=512 * 1024))["work_mem"] == "262MB"
    assert pigsty.peer(_profile(ram=4096 * 1024))["work_mem"] == "1024MB"
    assert pigsty.peer(_profile(ram=4096 * 1024), "olap")["work_mem"] == "2097MB"


def test_a_rotating_disk_keeps_the_planner_s_defaults():
    assert not {"random_page_cost", "effective_io_concurrency"} & set(pigsty.peer(_profile(storage="hdd")))
    assert pigsty.peer(_profile(storage="nvme"))["effective_io_concurrency"] == "200"


def test_what_belongs_to_a_version():
    of_17, of_18 = pigsty.peer(_profile(postgres=17)), pigsty.peer(_profile(postgres=18))
    assert set(of_18) - set(of_17) == {
        "io_method",
        "io_workers",
        "idle_replication_slot_timeout",
        "log_connections",
        "log_lock_failures",
    }
    assert of_18["log_connections"] == "authorization"
    assert "sync_replication_slots" not in pigsty.peer(_profile(postgres=16))
    assert pigsty.peer(_profile(postgres=15), "crit")["vacuum_defer_cleanup_age"] == "500000"
    assert "vacuum_defer_cleanup_age" not in pigsty.peer(_profile(postgres=16), "crit")


def test_what_each_template_has_of_its_own():
    oltp, olap, crit, tiny = (pigsty.peer(_profile(), name) for name in ("oltp", "olap", "crit", "tiny"))
    assert [each["vacuum_cost_limit"] for each in (oltp, olap, crit, tiny)] == ["2000", "10000", "2000", "2000"]
    assert [each["vacuum_cost_delay"] for each in (oltp, olap, crit, tiny)] == ["20ms", "10ms", "20ms", "20ms"]
    assert [each["log_min_duration_statement"] for each in (oltp, olap, crit, tiny)] == ["100", "1000", "100", "100"]
    name = "idle_in_transaction_session_timeout"
    assert [each[name] for each in (oltp, olap, crit, tiny)] == ["10min", "0", "1min", "10min"]
    assert [each.get("parallel_setup_cost") for each in (oltp, olap, crit, tiny)] == ["2000", None, "2000", None]
    assert [each["autovacuum_max_workers"] for each in (oltp, olap, crit, tiny)] == ["3", "3", "3", "2"]
    assert [each.get("autovacuum_vacuum_scale_factor") for each in (oltp, tiny)] == ["0.08", None]
    assert (crit["wal_writer_flush_after"], crit["log_disconnections"]) == ("0", "on")
    assert crit["log_connections"] == "receipt,authentication,authorization"
    assert {each["hash_mem_multiplier"] for each in (oltp, olap, crit, tiny)} == {"8.0"}
    assert "jit" not in oltp
