"""The memory proof: each item worked out by hand, and when it is ok, tight or refused."""

from __future__ import annotations

import pytest

from profiles import GIB, MIB, changed, sized
from stackctl.sizing.model import Verdict


def test_memory_proof_of_the_reference_machine():
    proof = sized().memory
    assert proof.limit == 13_313_769_472  # 12,697 MiB: the shares that are no whole MiB are rounded down
    assert {item.name: item.size for item in proof.items} == {
        # 1.031 x 4 GiB + 8 MiB + 16 MiB of wal_buffers + 48 KiB for each of 200 + 4 + 8 + 5 + 40 processes
        "shared memory": 4_465_909_170,
        "page tables": 131 * 8 * MIB,
        "server processes": 10 * MIB,
        "autovacuum": 4 * 171 * MIB,
        "maintenance": GIB,
        "WAL senders": 20 * MIB,
        "administrators": 3 * 43 * MIB,
        "app backends": 100 * 11 * MIB,
        "other roles": 15 * 15 * MIB,
        "reports": 2 * 75 * MIB,
        "app work_mem": 100 * 32 * MIB,
        "parallel workers": 4 * 68 * MIB,
        "/dev/shm": 154_014_842,  # 1.53 x 32 MiB x 3
    }
    assert proof.worst_case == 12_863_828_524
    assert (proof.verdict, proof.fix) == (Verdict.OK, None)
    assert proof.typical < proof.worst_case


def _items(fields=None, **pins):
    return {item.name: item for item in sized(changed(**(fields or {})), **pins).memory.items}


# `postgres -C shared_memory_size` of 15, 17 and 18 in MB, with 10,000 statements, 16MB of wal_buffers and 8 workers;
# the model is never below, and little above. Measured with tools/measure_memory.py.
@pytest.mark.parametrize(
    ("postgres", "connections", "buffers_mb", "beside_mb"),
    [
        (15, 100, 128, 31),
        (17, 100, 128, 32),
        (18, 100, 128, 39),
        (15, 100, 1024, 54),
        (17, 100, 1024, 59),
        (18, 100, 1024, 66),
        (15, 100, 4096, 121),
        (17, 100, 4096, 154),
        (18, 100, 4096, 161),
        (17, 100, 8192, 248),
        (18, 100, 8192, 255),
    ],
)
def test_shared_memory_is_what_the_server_computes(postgres, connections, buffers_mb, beside_mb):
    pins = {"max_connections": str(connections), "shared_buffers": f"{buffers_mb}MB", "max_worker_processes": "8"}
    modelled = _items({"postgres": postgres, "ram_mib": 65_536}, **pins)["shared memory"].size / MIB
    real = buffers_mb + beside_mb
    assert real <= modelled <= real * 1.03


def test_page_tables_are_for_all_buffers_that_a_process_touches():
    assert _items(shared_buffers="2GB")["page tables"].size == 131 * 4 * MIB  # 4 kB pages, 8 bytes each
    assert _items(huge_pages="on")["page tables"].size == 0


def test_sessions_of_a_small_machine_hold_a_smaller_schema():
    assert _items({"ram_mib": 2048, "cpus": 2, "app_workers": 2})["app backends"].formula == "8 connections x 4MB"
    assert _items({"ram_mib": 4096})["app backends"].formula == "24 connections x 8MB"


def test_without_parallel_query_nothing_is_joined_in_shared_memory():
    items = _items({"cpus": 1})
    assert items["/dev/shm"].size == 0
    assert items["parallel workers"].formula == "2 workers x (4MB + 32MB x 1)"  # none for a report


def test_the_failing_proof_is_a_warning_that_names_the_fix():
    sizing = sized(work_mem="128MB")
    (warning,) = sizing.warnings
    assert warning.code == "memory"
    # 8441 MiB without operations + 119.59 x 128 MiB
    assert warning.message == "worst case 23.2 GiB is more than PostgreSQL's limit 12.4 GiB"
    assert warning.hint == sizing.memory.fix == "work_mem at most 35MB would fit"


def test_a_proof_that_is_tight_is_told():
    # 8441 MiB without operations + 119.59 x 34 MiB = 12507 MiB: above 31/32 of the limit (12301), below it (12697)
    sizing = sized(work_mem="34MB")
    assert sizing.memory.verdict is Verdict.WARN
    assert [warning.code for warning in sizing.warnings] == ["memory_tight"]
    assert sized(work_mem="32MB").memory.verdict is Verdict.OK  # 12268 MiB
    assert sized(work_mem="37MB").memory.verdict is Verdict.FAIL  # 12866 MiB


def test_the_multiplier_is_stock_where_there_is_room():
    roomy = sized(changed(ram_mib=65_536))
    assert (roomy.value("work_mem"), roomy.value("hash_mem_multiplier")) == ("64MB", "2.0")
    assert roomy.memory.verdict is Verdict.OK
    assert _items({"ram_mib": 65_536})["app work_mem"].formula == "100 connections x 64MB x 2, one operation each"
