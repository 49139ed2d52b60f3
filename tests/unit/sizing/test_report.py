"""The role `report`: sized by hand, pinned, refused, and never beside the proof."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import MIB, changed, sized
from stackctl.sizing.model import REFUSED, Verdict
from stackctl.units import parse_pg_size
from unit.sizing.test_properties import MACHINES


def _report(sizing):
    return next(role for role in sizing.roles if role.name == "report")


def _items(sizing):
    return {item.name: (item.size, item.formula) for item in sizing.memory.items}


@pytest.mark.parametrize(
    ("fields", "connections", "times"),
    [
        ({}, 2, 2),
        ({"ram_mib": 8192}, 2, 2),
        ({"ram_mib": 4096, "app_workers": 2, "cpus": 2}, 1, 2),
        ({"ram_mib": 3072, "app_workers": 2, "cpus": 2}, 1, 1.5),
        ({"ram_mib": 2048, "app_workers": 2, "cpus": 2}, 1, 1),
        ({"ram_mib": 512, "app_workers": 1, "cpus": 1}, 1, 1),
    ],
)
def test_two_sessions_from_100_connections_on_with_up_to_twice_the_apps_work_mem(fields, connections, times):
    sizing = sized(changed(**fields))
    role = _report(sizing)
    assert role.connection_limit == connections
    assert parse_pg_size(role.settings["work_mem"]) == times * parse_pg_size(sizing.value("work_mem"))


def test_parallel_workers_of_reports_are_the_larger_ones():
    # 16 CPUs: 8 parallel workers, of which 2 sessions have 2 each. 12399 - 8441 - 48 for four more workers = 3910 MiB
    # over 103 + 4 + 4.59 + 2 x (2 + 4) operations: 31.6, rounded down to 30
    sizing = sized(changed(cpus=16))
    assert _items(sizing)["parallel workers"] == (
        4 * (4 + 60) * MIB + 4 * (4 + 30) * MIB,
        "4 workers x (4MB + 60MB x 1) + 4 workers x (4MB + 30MB x 1)",
    )


def test_pins_take_the_place_of_what_is_sized():
    sizing = sized(PG_REPORT_CONNECTIONS="3", PG_REPORT_WORK_MEM="96MB", PG_REPORT_STATEMENT_TIMEOUT="3600000")
    role = _report(sizing)
    assert (role.connection_limit, role.settings["work_mem"]) == (3, "96MB")
    assert (role.settings["statement_timeout"], role.settings["transaction_timeout"]) == ("1h", "3h")
    # 3 + 2 + 3 x 5 + 3
    assert (sizing.connections.reserved, sizing.memory.verdict) == (23, Verdict.OK)
    # 12300 - 8441 - 11 - 8 for one more session, - (3 + 4) x 96 = 3168 MiB over 100 + 3 + 4.59 operations: 29.4
    assert sizing.value("work_mem") == "28MB"
    assert _items(sizing)["reports"][1] == "3 connections x (11MB + 96MB x 1), one operation each"


def test_a_pin_below_the_apps_work_mem_leaves_the_workers_at_that():
    sizing = sized(PG_REPORT_WORK_MEM="8MB")
    # 3958 - 2 x 8 = 3942 MiB over 100 + 3 + 4 + 4.59 operations: 35.3, rounded down to 32
    assert sizing.value("work_mem") == "32MB"
    assert _items(sizing)["parallel workers"][0] == 4 * 36 * MIB


def test_no_reports():
    sizing = sized(PG_REPORT_CONNECTIONS="0")
    assert _report(sizing).connection_limit == 0
    assert (_items(sizing)["reports"][0], sizing.connections.reserved) == (0, 20)
    assert _items(sizing)["parallel workers"][1] == "4 workers x (4MB + 32MB x 1)"


def test_reports_without_a_limit_have_no_limit_for_the_transaction_either():
    settings_of = _report(sized(PG_REPORT_STATEMENT_TIMEOUT="0")).settings
    assert (settings_of["statement_timeout"], settings_of["transaction_timeout"]) == ("0", "0")
    assert "transaction_timeout" not in _report(sized(changed(postgres=16))).settings


@pytest.mark.parametrize(
    ("pins", "key"),
    [
        ({"PG_REPORT_WORK_MEM": "16GB"}, "report.work_mem"),
        ({"PG_REPORT_WORK_MEM": "128MB", "PG_REPORT_CONNECTIONS": "150"}, "report.connections"),
    ],
)
def test_a_pin_that_breaks_the_proof_is_refused_with_the_largest_that_passes(pins, key):
    sizing = sized(**pins)
    assert sizing.memory.verdict is Verdict.FAIL or "pool_too_large" in {w.code for w in sizing.warnings}
    most = re.search(rf"{key} at most (\w+)", sizing.memory.fix)[1]
    name = "PG_" + key.upper().replace(".", "_")
    assert not REFUSED & {warning.code for warning in sized(**{**pins, name: most}).warnings}


@settings(max_examples=150)
@given(MACHINES, st.integers(1, 4096), st.integers(0, 12))
def test_with_any_report_it_fits_or_is_refused(profile, work_mem_mib, connections):
    pins = {"PG_REPORT_WORK_MEM": f"{work_mem_mib}MB", "PG_REPORT_CONNECTIONS": str(connections)}
    sizing = sized(profile, **pins)
    fits = sizing.memory.worst_case <= sizing.memory.limit and sizing.connections.headroom >= 0
    assert fits is not bool(REFUSED & {warning.code for warning in sizing.warnings})


@settings(max_examples=150)
@given(MACHINES)
def test_a_report_has_at_least_the_apps_work_mem(profile):
    sizing = sized(profile)
    assert parse_pg_size(_report(sizing).settings["work_mem"]) >= parse_pg_size(sizing.value("work_mem"))
    assert _report(sizing).connection_limit >= 1
