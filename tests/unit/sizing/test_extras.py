"""Pins that make the server allocate more are counted by the memory proof."""

import pytest

from profiles import MIB, changed, sized
from stackctl.sizing.model import Verdict

OWN = {
    "shared memory",
    "page tables",
    "server processes",
    "administrators",
    "app backends",
    "other roles",
    "reports",
    "WAL senders",
    "autovacuum",
    "maintenance",
    "app work_mem",
    "parallel workers",
    "/dev/shm",
}


def _extras(fields=None, **pins):
    items = sized(changed(**(fields or {})), **pins).memory.items
    return [(item.name, item.size, item.formula) for item in items if item.name not in OWN]


# At the reference: 200 connections + 4 autovacuum workers + 8 workers + 5 senders + 40 others = 257 processes;
# a process slot has 64 x (420 + 260) = 43,520 bytes of locks.
@pytest.mark.parametrize(
    ("name", "value", "size", "formula"),
    [
        ("temp_buffers", "64MB", 7808 * MIB, "122 connections x 64MB"),
        ("temp_buffers", "8192", 7808 * MIB, "122 connections x 64MB"),
        ("logical_decoding_work_mem", "128MB", 640 * MIB, "5 senders x 128MB"),
        ("max_locks_per_transaction", "1064", 107_940_000, "257 processes x (1064 - 64) x 420 bytes"),
        ("max_pred_locks_per_transaction", "1064", 66_820_000, "257 processes x (1064 - 64) x 260 bytes"),
        ("max_prepared_transactions", "100", 4_966_400, "100 x 49664 bytes"),
        ("default_statistics_target", "1000", 2_211_840_000, "4 workers x (1000 - 100) x 614400 bytes"),
        ("track_activity_query_size", "16kB", 3_947_520, "257 processes x (16kB - 1kB)"),
        ("pg_stat_statements.max", "105000", 46_000_000, "(105000 - 5000) x 460 bytes"),
        ("transaction_buffers", "128MB", 128 * MIB, "128MB"),
        ("min_dynamic_shared_memory", "1GB", 1024 * MIB, "1GB"),
    ],
)
def test_a_pin_above_the_default_is_an_item(name, value, size, formula):
    assert _extras(**{name: value}) == [(name, size, formula)]


def test_more_locks_make_each_prepared_transaction_larger():
    pins = {"max_locks_per_transaction": "164", "max_prepared_transactions": "1000"}
    items = {name: size for name, size, _ in _extras(**pins)}
    # 257 x 100 x 420; 1000 x (6144 + 164 x 420 + 64 x 260)
    assert items == {"max_locks_per_transaction": 10_794_000, "max_prepared_transactions": 91_664_000}


@pytest.mark.parametrize(
    "pins",
    [
        {},
        {"temp_buffers": "8MB", "max_locks_per_transaction": "64", "wal_buffers": "16MB"},
        {"temp_buffers": "1MB", "max_locks_per_transaction": "10", "max_worker_processes": "4"},
        {"wal_buffers": "-1"},
        {"logical_decoding_work_mem": "1GB", "max_wal_senders": "0"},
        {"wal_level": "logical", "max_wal_senders": "0"},
    ],
)
def test_nothing_is_added_for_a_pin_that_allocates_no_more(pins):
    assert _extras(**pins) == []


def test_logical_decoding_costs_its_default_too():
    assert _extras(wal_level="logical") == [("logical_decoding_work_mem", 320 * MIB, "5 senders x 64MB")]


def test_parameters_of_18():
    # 200 + 16 autovacuum slots + 13 + 40
    assert _extras({"postgres": 18}, io_max_concurrency="100") == [
        ("io_max_concurrency", 14_526_000, "269 processes x 100 x 540 bytes")
    ]


def test_more_processes_need_more_shared_memory():
    def shared(**pins):
        return sized(changed(postgres=18), **pins).memory.items[0].size

    # 82 KiB for each of 100 on 18
    assert shared(max_worker_processes="108") - shared() == 8_396_800
    assert shared(autovacuum_worker_slots="116") - shared() == 8_396_800


def test_io_handles_are_larger_where_they_combine_more():
    # 269 processes x 64 handles x 112 pages more than 16 x 24 bytes; the server says 44 MB
    assert _extras({"postgres": 18}, io_max_combine_limit="1MB") == [
        ("io_max_combine_limit", 46_276_608, "17216 I/O handles x (1MB - 128kB) x 24 bytes")
    ]


def test_more_prepared_statements_are_counted():
    assert _extras(PG_PREPARED_STATEMENT_CACHE="100") == []
    found = _extras(PG_PREPARED_STATEMENT_CACHE="600")
    assert found == [("prepared statements", 100 * 500 * 33_792, "100 connections x 500 more than 100 x 33kB")]


def test_the_multiplier_is_for_all_roles():
    (others,) = (item for item in sized(hash_mem_multiplier="3").memory.items if item.name == "other roles")
    assert (others.size, others.formula) == (15 * (11 + 12) * MIB, "15 connections x (11MB + 4MB x 3)")


def test_work_mem_makes_room_for_it():
    sizing = sized(temp_buffers="10MB")
    assert sizing.value("work_mem") == "22MB"  # 3859 - 1220 MiB over 119.59 operations: 22.1 MiB
    assert sizing.memory.verdict is Verdict.OK


def test_a_pin_that_cannot_fit_is_the_one_to_change():
    proof = sized(temp_buffers="1GB").memory
    assert proof.verdict is Verdict.FAIL
    assert proof.fix.startswith("temp_buffers at most ")


@pytest.mark.parametrize("name", ["temp_buffers", "max_locks_per_transaction", "logical_decoding_work_mem"])
def test_the_largest_value_of_the_catalogue_is_refused(name):
    assert sized(**{name: "1073741823"}).memory.verdict is Verdict.FAIL
