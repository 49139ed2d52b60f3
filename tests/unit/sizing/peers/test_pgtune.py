"""pgtune: inputs and outputs of its own code, seen in July 2026."""

import pytest

from stackctl.hardware.model import HardwareProfile, Storage, Workload
from stackctl.sizing.peers import pgtune
from stackctl.units import GIB, MIB, Bytes

# What every vector has in common, save where it says otherwise.
COMMON = {
    "checkpoint_completion_target": "0.9",
    "default_statistics_target": "100",
    "effective_io_concurrency": "200",
    "huge_pages": "try",
    "jit": "off",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",
    "random_page_cost": "1.1",
    "wal_buffers": "16MB",
    "wal_compression": "lz4",
}
# name, version, workload, RAM in MB, CPUs, storage, connections (0: pgtune's default), what differs, what is absent
VECTORS = [
    (
        "V01", 17, "web", 4096, 2, "ssd", 0,
        {
            "max_connections": "200", "shared_buffers": "1GB", "effective_cache_size": "3GB",
            "maintenance_work_mem": "256MB", "work_mem": "5041kB", "huge_pages": "off",
        },
        [],
    ),
    (
        "V02", 17, "web", 8192, 4, "ssd", 0,
        {
            "max_connections": "200", "shared_buffers": "2GB", "effective_cache_size": "6GB",
            "maintenance_work_mem": "512MB", "work_mem": "10280kB", "max_worker_processes": "4",
            "max_parallel_workers_per_gather": "2", "max_parallel_workers": "4",
            "max_parallel_maintenance_workers": "2",
        },
        [],
    ),
    (
        "V03", 17, "web", 16384, 4, "ssd", 0,
        {
            "max_connections": "200", "shared_buffers": "4GB", "effective_cache_size": "12GB",
            "maintenance_work_mem": "1GB", "work_mem": "20560kB", "max_worker_processes": "4",
            "max_parallel_workers_per_gather": "2", "max_parallel_workers": "4",
            "max_parallel_maintenance_workers": "2",
        },
        [],
    ),
    (
        "V04", 17, "web", 16384, 8, "ssd", 200,
        {
            "max_connections": "200", "shared_buffers": "4GB", "effective_cache_size": "12GB",
            "maintenance_work_mem": "1GB", "work_mem": "20164kB", "max_worker_processes": "8",
            "max_parallel_workers_per_gather": "4", "max_parallel_workers": "8",
            "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V06", 17, "oltp", 32768, 8, "ssd", 0,
        {
            "max_connections": "300", "shared_buffers": "8GB", "effective_cache_size": "24GB",
            "maintenance_work_mem": "2GB", "work_mem": "27235kB", "autovacuum_work_mem": "2GB", "min_wal_size": "2GB",
            "max_wal_size": "8GB", "max_worker_processes": "8", "max_parallel_workers_per_gather": "4",
            "max_parallel_workers": "8", "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V07", 17, "oltp", 65536, 16, "nvme", 0,
        {
            "max_connections": "300", "shared_buffers": "16GB", "effective_cache_size": "48GB",
            "maintenance_work_mem": "4GB", "effective_io_concurrency": "1000", "work_mem": "53092kB",
            "autovacuum_max_workers": "4", "autovacuum_work_mem": "2GB", "min_wal_size": "2GB", "max_wal_size": "8GB",
            "max_worker_processes": "16", "max_parallel_workers_per_gather": "4", "max_parallel_workers": "16",
            "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V08", 17, "olap", 65536, 16, "ssd", 0,
        {
            "max_connections": "40", "shared_buffers": "16GB", "effective_cache_size": "48GB",
            "maintenance_work_mem": "8GB", "default_statistics_target": "500", "random_page_cost": "4",
            "work_mem": "149796kB", "autovacuum_max_workers": "4", "autovacuum_work_mem": "2GB",
            "min_wal_size": "4GB", "max_wal_size": "16GB", "max_worker_processes": "16",
            "max_parallel_workers_per_gather": "8", "max_parallel_workers": "16",
            "max_parallel_maintenance_workers": "4",
        },
        ["jit"],
    ),
    (
        "V11", 17, "mixed", 32768, 8, "ssd", 0,
        {
            "max_connections": "100", "shared_buffers": "8GB", "effective_cache_size": "24GB",
            "maintenance_work_mem": "2GB", "work_mem": "38836kB", "autovacuum_work_mem": "2GB",
            "max_worker_processes": "8", "max_parallel_workers_per_gather": "4", "max_parallel_workers": "8",
            "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V12", 17, "web", 512, 1, "ssd", 0,
        {
            "max_connections": "200", "shared_buffers": "128MB", "effective_cache_size": "384MB",
            "maintenance_work_mem": "32MB", "wal_buffers": "3932kB", "work_mem": "4MB", "huge_pages": "off",
        },
        [],
    ),
    (
        "V14", 17, "web", 2048, 2, "ssd", 0,
        {
            "max_connections": "200", "shared_buffers": "512MB", "effective_cache_size": "1536MB",
            "maintenance_work_mem": "128MB", "work_mem": "4MB", "huge_pages": "off",
        },
        [],
    ),
    (
        "V15", 16, "web", 65536, 32, "network", 500,
        {
            "max_connections": "500", "shared_buffers": "16GB", "effective_cache_size": "48GB",
            "maintenance_work_mem": "4GB", "effective_io_concurrency": "300", "work_mem": "31536kB",
            "autovacuum_max_workers": "5", "autovacuum_work_mem": "2GB", "max_worker_processes": "32",
            "max_parallel_workers_per_gather": "4", "max_parallel_workers": "32",
            "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V16", 18, "oltp", 262144, 64, "nvme", 0,
        {
            "max_connections": "300", "shared_buffers": "64GB", "effective_cache_size": "192GB",
            "maintenance_work_mem": "8GB", "effective_io_concurrency": "1000", "work_mem": "184365kB",
            "autovacuum_max_workers": "5", "autovacuum_work_mem": "2GB", "io_method": "io_uring",
            "min_wal_size": "2GB", "max_wal_size": "8GB", "max_worker_processes": "64",
            "max_parallel_workers_per_gather": "4", "max_parallel_workers": "64",
            "max_parallel_maintenance_workers": "4",
        },
        [],
    ),
    (
        "V17", 14, "web", 16384, 4, "hdd", 0,
        {
            "max_connections": "200", "shared_buffers": "4GB", "effective_cache_size": "12GB",
            "maintenance_work_mem": "1GB", "random_page_cost": "4", "effective_io_concurrency": "2",
            "work_mem": "20560kB", "wal_compression": "on", "max_worker_processes": "4",
            "max_parallel_workers_per_gather": "2", "max_parallel_workers": "4",
            "max_parallel_maintenance_workers": "2",
        },
        [],
    ),
    (
        "V21", 17, "mixed", 8192, 3, "ssd", 60,
        {
            "max_connections": "60", "shared_buffers": "2GB", "effective_cache_size": "6GB",
            "maintenance_work_mem": "512MB", "work_mem": "15420kB",
        },
        [],
    ),
]  # fmt: skip


def _profile(ram, cpus, workload="web", storage="ssd", postgres=17):
    disk = Bytes(200 * GIB)
    return HardwareProfile(Bytes(ram), cpus, Storage(storage), disk, Workload(workload), postgres, app_workers=4)


@pytest.mark.parametrize(
    ("postgres", "workload", "ram", "cpus", "storage", "connections", "differs", "absent"),
    [vector[1:] for vector in VECTORS],
    ids=[vector[0] for vector in VECTORS],
)
def test_vectors(postgres, workload, ram, cpus, storage, connections, differs, absent):
    expected = {name: value for name, value in (COMMON | differs).items() if name not in absent}
    assert pgtune.peer(_profile(ram * MIB, cpus, workload, storage, postgres), connections) == expected


def test_a_machine_for_development_is_its_desktop():
    given = pgtune.peer(_profile(16 * GIB, 4, "dev"))
    assert given["max_connections"] == "20"
    names = ("shared_buffers", "effective_cache_size", "maintenance_work_mem")
    assert [given[name] for name in names] == ["1GB", "4GB", "1GB"]
    # 15 GB over (20 + 4) x 3 x 6 operations
    assert given["work_mem"] == "36408kB"
    assert (given["wal_level"], given["max_wal_senders"]) == ("minimal", "0")
    assert (given["min_wal_size"], given["max_wal_size"]) == ("100MB", "2GB")
    assert "jit" not in given


@pytest.mark.parametrize(
    ("ram", "value"), [(512, "3932kB"), (1792, "13762kB"), (1900, "16MB"), (2048, "16MB"), (3, "32kB")]
)
def test_wal_buffers_are_3_percent_up_to_a_segment(ram, value):
    assert pgtune.peer(_profile(ram * MIB, 1))["wal_buffers"] == value


def test_io_method_is_of_18():
    assert "io_method" not in pgtune.peer(_profile(16 * GIB, 4, postgres=17))
    assert pgtune.peer(_profile(16 * GIB, 4, postgres=18))["io_method"] == "io_uring"
