"""timescaledb-tune: vectors T1 to T15 of its own tests."""

import pytest

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.peers import timescaledb_tune
from stackctl.units import GIB, MIB, Bytes


def _given(ram, cpus=4, connections=0, wal_disk=0):
    disk = Bytes(200 * GIB)
    profile = HardwareProfile(Bytes(ram), cpus, Storage.SSD, disk, Workload.WEB, 18, app_workers=4)
    return timescaledb_tune.peer(profile, connections, wal_disk)


MEMORY = ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "work_mem")
TEN, TWELVE, THIRTY_TWO = ("2560MB", "7680MB", "1280MB"), ("3GB", "9GB", "1536MB"), ("8GB", "24GB", "2047MB")


@pytest.mark.parametrize(
    ("gigabytes", "cpus", "connections", "expected"),
    [
        pytest.param(10, 1, 0, (*TEN, "40MB"), id="T1"),
        pytest.param(10, 4, 0, (*TEN, "20MB"), id="T2"),
        pytest.param(10, 4, 20, (*TEN, "100MB"), id="T3"),
        pytest.param(10, 5, 0, (*TEN, "13653kB"), id="T4"),
        pytest.param(10, 5, 20, (*TEN, "68266kB"), id="T5"),
        pytest.param(12, 4, 19, (*TWELVE, "129347kB"), id="T6"),
        pytest.param(12, 5, 50, (*TWELVE, "32MB"), id="T7"),
        pytest.param(32, 4, 0, (*THIRTY_TWO, "64MB"), id="T8"),
        pytest.param(32, 5, 50, (*THIRTY_TWO, "87381kB"), id="T9"),
        pytest.param(10, 9000, 0, (*TEN, "64kB"), id="T10"),
        pytest.param(10, 9000, 50, (*TEN, "64kB"), id="T10 with 50 connections"),
    ],
)
def test_memory(gigabytes, cpus, connections, expected):
    given = _given(gigabytes * GIB, cpus, connections)
    assert tuple(given[name] for name in MEMORY) == expected


@pytest.mark.parametrize(
    ("disk", "most", "least"),
    [(8 * GIB, "4928MB", "2464MB"), (8800 * MIB, "5280MB", "2640MB"), (0, "1GB", "512MB")],
)
def test_wal_sizes_t11(disk, most, least):
    given = _given(10 * GIB, wal_disk=disk)
    assert (given["max_wal_size"], given["min_wal_size"]) == (most, least)


@pytest.mark.parametrize(
    ("ram", "value"),
    [(GIB, "7864kB"), (1536 * MIB, "11796kB"), (2 * GIB, "16MB"), (64 * GIB, "16MB")],
)
def test_wal_buffers_t12(ram, value):
    assert _given(ram)["wal_buffers"] == value


@pytest.mark.parametrize(
    ("gigabytes", "locks"),
    [(7, "128"), (8, "256"), (15, "256"), (16, "512"), (24, "512"), (32, "1024"), (80, "1024")],
)
def test_locks_t13(gigabytes, locks):
    assert _given(gigabytes * GIB)["max_locks_per_transaction"] == locks


@pytest.mark.parametrize(
    ("cpus", "processes", "gather", "parallel"),
    [(2, "21", "1", "2"), (4, "23", "2", "4"), (5, "24", "3", "5")],
)
def test_parallel_t14(cpus, processes, gather, parallel):
    given = _given(10 * GIB, cpus)
    assert given["max_worker_processes"] == processes
    assert given["max_parallel_workers_per_gather"] == gather
    assert given["max_parallel_workers"] == parallel
    assert given["timescaledb.max_background_workers"] == "16"


def test_one_cpu_leaves_parallelism_alone():
    assert not {name for name in _given(10 * GIB, 1) if "worker" in name} - {"autovacuum_max_workers"}


@pytest.mark.parametrize(
    ("gigabytes", "connections"),
    [(1, "25"), (2, "25"), (3, "50"), (4, "50"), (5, "75"), (6, "75"), (7, "100")],
)
def test_connections_t15(gigabytes, connections):
    assert _given(gigabytes * GIB)["max_connections"] == connections


def test_what_no_machine_changes():
    given = _given(16 * GIB)
    names = (
        "default_statistics_target",
        "random_page_cost",
        "checkpoint_completion_target",
        "autovacuum_max_workers",
        "autovacuum_naptime",
        "effective_io_concurrency",
        "default_toast_compression",
        "jit",
    )
    assert [given[name] for name in names] == ["100", "1.1", "0.9", "10", "10", "256", "lz4", "off"]
