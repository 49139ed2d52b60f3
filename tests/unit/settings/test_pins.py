"""Pins of PostgreSQL and of the app."""

import re

import pytest

from stackctl import assets
from stackctl.settings.pins import APP_PINS, REPORT_WORK_MEM, app_value, check_pins
from stackctl.settings.values import Fault
from stackctl.sizing.catalog import ENGINE_PARAMETERS, parse_catalog
from stackctl.sizing.model import Pin


@pytest.fixture(scope="module")
def catalog():
    return parse_catalog(17, assets.read("config/postgres/catalog-17.tsv"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("PG_STATEMENT_TIMEOUT", "30s", "30000"),
        ("PG_STATEMENT_TIMEOUT", "2min", "120000"),
        ("PG_STATEMENT_TIMEOUT", "30000", "30000"),
        ("PG_STATEMENT_TIMEOUT", "0", "0"),
        ("DB_POOL_PRE_PING", "true", "on"),
        ("DB_POOL_PRE_PING", "0", "off"),
        ("DB_POOL_SIZE", " 20 ", "20"),
    ],
)
def test_app_pins_are_spelled_as_sizing_reads_them(name, text, expected):
    assert app_value(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DB_POOL_SIZE", "0"),
        ("DB_MAX_OVERFLOW", "-1"),
        ("DB_POOL_RECYCLE", "-1"),
        ("PG_STATEMENT_TIMEOUT", "2147483648"),
        ("PG_STATEMENT_TIMEOUT", "soon"),
        ("PG_STATEMENT_TIMEOUT", "-1"),
        ("PG_CONNECT_TIMEOUT", "0"),
        ("DB_POOL_PRE_PING", "2"),
    ],
)
def test_app_pins_that_would_mean_without_limit_are_refused(name, text):
    with pytest.raises(Fault):
        app_value(name, text)


def test_every_fault_is_found_at_its_place(catalog):
    pins = {
        "work_mem": Pin("16 elephants", "stackctl.yaml"),
        "wrok_mem": Pin("16MB", "flag"),
        "shared_buffers": Pin("4GB", "environment"),
        "DB_POOL_SIZE": Pin("many", "environment"),
        "max_wal_size": Pin("1kB", ".env"),
    }
    origins = {
        "work_mem": "stackctl.yaml:12: postgres.work_mem",
        "wrok_mem": "--set wrok_mem",
        "DB_POOL_SIZE": "DB_POOL_SIZE",
    }
    problems = check_pins(pins, catalog, origins)
    assert [problem.message.partition(" is ")[0] for problem in problems] == [
        "stackctl.yaml:12: postgres: work_mem: '16 elephants'",
        "--set: PostgreSQL 17 has no parameter 'wrok_mem'",
        "DB_POOL_SIZE: 'many'",
        ".env: max_wal_size: '1kB'",
    ]
    assert problems[1].hint == "did you mean work_mem?"


@pytest.mark.parametrize("name", sorted(ENGINE_PARAMETERS))
def test_what_the_engine_sets_cannot_be_pinned(catalog, name):
    assert name in catalog.entries
    (problem,) = check_pins({name: Pin("6000", "flag")}, catalog, {name: f"--set {name}"})
    assert (problem.code, problem.message) == ("engine_parameter", f"--set: {name} is set by the engine")
    hints = {"port": "ports.postgres", "archive_command": "archive_mode = off", "archive_library": "archive_mode = off"}
    assert hints.get(name, "it follows from where the stack runs") in problem.hint


def test_what_the_engine_sets_is_all_that_the_template_places():
    template = assets.read("config/postgres/postgresql.conf.j2")
    placed = set(re.findall(r"(?m)^(\w+) = ", template.partition("{% if place %}")[2].partition("{% endif %}")[0]))
    # The server is started with these two.
    assert placed | {"config_file", "external_pid_file"} == ENGINE_PARAMETERS


def test_good_pins_of_both_kinds_pass(catalog):
    pins = {name: Pin("1", "flag") for name in APP_PINS}
    pins |= {"jit": Pin("off", "flag"), REPORT_WORK_MEM: Pin("64MB", "flag")}
    assert check_pins(pins, catalog) == []


def test_an_app_pin_is_never_asked_of_the_catalogue(catalog):
    assert not set(APP_PINS) & set(catalog.entries)
