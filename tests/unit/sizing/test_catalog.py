"""The catalogue of each server version, and what it says of a value."""

import pytest

from profiles import catalog
from stackctl.hardware.model import POSTGRES_MAJORS
from stackctl.sizing.catalog import parse_catalog


def _problem(name, value, major=17):
    return catalog(major).check(name, value, "stackctl.yaml:3")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_mem", "128MB"),
        ("work_mem", "1.5GB"),
        ("work_mem", "4096"),
        ("checkpoint_timeout", "15min"),
        ("checkpoint_timeout", "1.5h"),
        ("checkpoint_timeout", "900"),
        ("autovacuum_work_mem", "-1"),
        ("random_page_cost", "1.1"),
        ("unix_socket_permissions", "0700"),
        ("log_file_mode", "0x180"),
        ("jit", "on"),
        ("jit", "FALSE"),
        ("jit", "t"),
        ("jit", "of"),
        ("huge_pages", "true"),
        ("synchronous_commit", "0"),
        ("random_page_cost", ".5"),
        ("cpu_tuple_cost", "1e-2"),
        ("work_mem", "1e5kB"),
        ("work_mem", "0x10000"),
        ("wal_compression", "lz4"),
        ("wal_level", "Logical"),
        ("log_line_prefix", "%m [%p] '\\ "),
        ("auto_explain.log_analyze", "on"),
    ],
)
def test_values_the_server_takes(name, value):
    assert _problem(name, value) is None


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("work_mem", "128M", "'128M' is not a PostgreSQL memory value"),
        ("work_mem", "128mb", "'128mb' is not a PostgreSQL memory value"),
        ("work_mem", "63kB", "'63kB' is outside 64kB to "),
        ("work_mem", "3TB", "'3TB' is outside 64kB to "),
        ("shared_buffers", "64kB", "'64kB' is outside 128kB to "),
        ("checkpoint_timeout", "15m", "'15m' is not a PostgreSQL time value"),
        ("checkpoint_timeout", "2d", "'2d' is outside 30s to 1d"),
        ("unix_socket_permissions", "01000", "'01000' is outside 0 to 511"),
        ("max_connections", "many", "'many' is not a number"),
        ("max_connections", "262144", "'262144' is outside 1 to 262143"),
        ("checkpoint_completion_target", "1.5", "'1.5' is outside 0 to 1"),
        ("jit", "maybe", "'maybe' is not on or off"),
        ("jit", "o", "'o' is not on or off"),
        ("wal_level", "on", "'on' is not one of minimal, replica, logical"),
        ("work_mem", "0x40MiB", "'0x40MiB' is not a PostgreSQL memory value"),
        ("random_page_cost", "1.1.1", "'1.1.1' is not a number"),
        ("wal_level", "full", "'full' is not one of minimal, replica, logical"),
        ("log_line_prefix", "%m\nfsync = off", "a value is one line"),
        ("log_line_prefix", "%m\0", "a value is one line"),
    ],
)
def test_values_the_server_refuses(name, value, what):
    problem = _problem(name, value)
    assert problem.code == "bad_value"
    assert problem.message.startswith(f"stackctl.yaml:3: {name}: {what}")
    assert problem.hint.startswith(("its default is ", "write 128MB"))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("128M", "write 128MB"),
        ("64mb", "write 64MB"),
        ("63k", "its default is 4MB"),
        ("32", "its default is 4MB; a number alone counts in kB"),
    ],
)
def test_the_hint_says_what_to_write(value, hint):
    assert _problem("work_mem", value).hint == hint


def test_an_unknown_parameter_is_met_with_its_nearest_name():
    problem = _problem("shared_bufers", "4GB")
    assert (problem.code, problem.hint) == ("unknown_parameter", "did you mean shared_buffers?")
    assert problem.message == "stackctl.yaml:3: PostgreSQL 17 has no parameter 'shared_bufers'"


def test_an_unknown_parameter_unlike_any_other():
    assert _problem("xyzzy", "1").hint == "see pg_settings of PostgreSQL 17"


# The release notes of each version name these.
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("reserved_connections", 16, 18),
        ("transaction_timeout", 17, 18),
        ("summarize_wal", 17, 18),
        ("io_method", 18, 18),
        ("autovacuum_worker_slots", 18, 18),
        ("old_snapshot_threshold", 15, 16),
        ("promote_trigger_file", 15, 15),
        ("shared_buffers", 15, 18),
        ("pg_stat_statements.max", 15, 18),
    ],
)
def test_parameters_by_version(name, first, last):
    having = [major for major in POSTGRES_MAJORS if name in catalog(major).entries]
    assert having == list(range(first, last + 1))


def test_what_a_version_lacks_is_refused():
    problem = _problem("transaction_timeout", "5min", major=15)
    assert problem.message == "stackctl.yaml:3: PostgreSQL 15 has no parameter 'transaction_timeout'"


@pytest.mark.parametrize(
    ("name", "default", "restart"),
    [
        ("shared_buffers", "128MB", True),
        ("work_mem", "4MB", False),
        ("checkpoint_timeout", "5min", False),
        ("autovacuum_naptime", "1min", False),
        ("max_connections", "100", True),
        ("autovacuum_work_mem", "-1", False),
        ("statement_timeout", "0", False),
        ("jit", "on", False),
    ],
)
def test_defaults_in_the_spelling_of_postgresql_conf(name, default, restart):
    entry = catalog(17).entries[name]
    assert (entry.default, entry.restart) == (default, restart)


def test_autovacuum_workers_need_no_restart_from_18():
    assert [catalog(major).entries["autovacuum_max_workers"].restart for major in (17, 18)] == [True, False]


def test_numbers_are_compared_in_one_unit():
    entries = catalog(17).entries
    assert entries["shared_buffers"].number("16384") == entries["shared_buffers"].number("128MB") == 134_217_728
    assert entries["work_mem"].number("4096") == 4_194_304
    assert entries["statement_timeout"].number("30000") == entries["statement_timeout"].number("30s") == 30_000
    assert entries["checkpoint_timeout"].number("900") == 900_000
    assert entries["work_mem"].number("0x10000") == entries["work_mem"].number("0200000") == 67_108_864
    assert entries["work_mem"].number("0x40MB") == entries["work_mem"].number("64MB") == 67_108_864
    assert entries["statement_timeout"].number("1e3") == entries["statement_timeout"].number("1s") == 1000
    assert entries["log_file_mode"].number("0600") == entries["log_file_mode"].number("384") == 384


def test_a_line_of_the_catalogue():
    text = "work_mem\tinteger\tkB\tuser\t4096\t64\t2147483647\t\nwal_level\tenum\t\tpostmaster\treplica\t\t\ta,b\n"
    entries = parse_catalog(17, text).entries
    assert (entries["work_mem"].default, entries["work_mem"].choices) == ("4MB", ())
    assert (entries["wal_level"].restart, entries["wal_level"].choices) == (True, ("a", "b"))


@pytest.mark.parametrize(("given", "name"), [("WORK_MEM", "work_mem"), ("timezone", "TimeZone"), ("xyzzy", "xyzzy")])
def test_names_are_spelled_as_the_server_spells_them(given, name):
    assert catalog(17).spelled(given) == name
