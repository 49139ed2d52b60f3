"""What the rows of a server become; that real servers have such rows, test_collectors.py shows."""

from stackctl.hardware.usage import Usage
from stackctl.operations.observing import families


def samples(found):
    return {(each.name, *each.labels.values()): each.value for family in found for each in family.samples}


def test_before_18_bytes_are_operations_of_one_size():
    row = {"backend_type": "client backend", "object": "relation", "context": "normal"}
    old = {**row, "reads": 3, "read_time": 1500.0, "hits": 7, "fsyncs": None, "op_bytes": 8192, "writebacks": 2}
    key = ("client backend", "relation", "normal")
    found = samples(families.io([old]))
    assert found["stackctl_io_operations_total", *key, "read"] == 3
    assert found["stackctl_io_operations_total", *key, "hit"] == 7
    assert found["stackctl_io_operations_total", *key, "writeback"] == 2
    assert found["stackctl_io_seconds_total", *key, "read"] == 1.5
    assert found["stackctl_io_bytes_total", *key, "read"] == 24_576
    assert ("stackctl_io_bytes_total", *key, "hit") not in found
    assert ("stackctl_io_operations_total", *key, "fsync") not in found, "never done by that kind"
    new = samples(families.io([{**row, "reads": 3, "read_bytes": 50_000}]))
    assert new["stackctl_io_bytes_total", *key, "read"] == 50_000


def test_a_table_that_was_never_analyzed_has_a_size_alone():
    rows = [
        {"nspname": "public", "relname": "known", "bytes": 81_920, "bloat": 20_480, "tuples": 900},
        {"nspname": "public", "relname": "new", "bytes": 8192, "bloat": None, "tuples": None},
    ]
    found = samples(families.relations("table", rows, "app"))
    assert found == {
        ("stackctl_table_size_bytes", "app", "public", "known"): 81_920,
        ("stackctl_table_size_bytes", "app", "public", "new"): 8192,
        ("stackctl_table_bloat_bytes", "app", "public", "known"): 20_480,
        ("stackctl_table_bloat_ratio", "app", "public", "known"): 0.25,
        ("stackctl_table_rows", "app", "public", "known"): 900,
    }


def test_where_nothing_limits_the_server_other_numbers_stand_in():
    free = samples(families.database(Usage(12.5, 100), 4.0, 1000))
    assert (free["stackctl_database_cpu_limit",], free["stackctl_database_memory_limit_bytes",]) == (4, 1000)
    assert ("stackctl_database_oom_kills_total",) not in free
    bound = samples(families.database(Usage(12.5, 100, 1.5, 500, 0), 4.0, 1000))
    assert (bound["stackctl_database_cpu_limit",], bound["stackctl_database_memory_limit_bytes",]) == (1.5, 500)
    assert (bound["stackctl_database_cpu_seconds_total",], bound["stackctl_database_oom_kills_total",]) == (12.5, 0)
