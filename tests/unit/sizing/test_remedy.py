"""What to change where the proof fails: it passes, and it is no smaller than it must be."""

from __future__ import annotations

import re

import pytest

from profiles import changed, sized
from stackctl.sizing.model import Verdict
from stackctl.units import parse_pg_size

SMALL = {"ram_mib": 2048, "app_workers": 2, "cpus": 2}


def _usable(fields, pins):
    """Passes, and leaves the server enough to work with."""
    sizing = sized(changed(**fields), **pins)
    return sizing.memory.verdict is not Verdict.FAIL and "starved" not in {w.code for w in sizing.warnings}


@pytest.mark.parametrize(
    ("pins", "fields"),
    [
        ({"work_mem": "128MB"}, {}),
        ({"work_mem": "2GB"}, {}),
        ({"shared_buffers": "12GB"}, {}),
        ({"maintenance_work_mem": "100GB"}, {}),
        ({"temp_buffers": "1GB"}, {}),
        ({"work_mem": "64MB"}, SMALL),
        ({"shared_buffers": "900MB"}, SMALL),
        ({"jit": "on", "work_mem": "64MB"}, SMALL),
    ],
)
def test_the_named_value_passes_and_a_little_more_does_not(pins, fields):
    fix = sized(changed(**fields), **pins).memory.fix
    name, value = re.fullmatch(r"(\w+) at most (\w+) would fit", fix).groups()
    assert _usable(fields, {**pins, name: value})
    more = f"{parse_pg_size(value) * 11 // 10 // 1024}kB"
    assert not _usable(fields, {**pins, name: more})


def test_connections_that_are_too_many():
    machine = {"ram_mib": 1024, "app_workers": 1, "cpus": 1}
    fix = sized(changed(**machine), max_connections="10000").memory.fix
    most = int(re.fullmatch(r"max_connections at most (\d+) would fit", fix)[1])
    assert _usable(machine, {"max_connections": str(most)})
    assert not _usable(machine, {"max_connections": str(most + 50)})


def test_of_two_ways_the_one_that_leaves_more_comes_first():
    pins = {"shared_buffers": "6GB", "work_mem": "32MB"}
    fix = sized(**pins).memory.fix
    first, second = re.fullmatch(r"(.+) would fit \(or (.+)\)", fix).groups()
    shares = []
    for text in (first, second):
        name, value = text.split(" at most ")
        assert _usable({}, {**pins, name: value})
        shares.append(parse_pg_size(value) / parse_pg_size(pins[name]))
    assert shares[0] > shares[1]


def test_pins_that_are_each_too_much_are_each_given_a_limit():
    pins = {"maintenance_work_mem": "100GB", "work_mem": "1GB"}
    fix = sized(**pins).memory.fix
    limits = re.fullmatch(
        r"each of these is too much by itself: maintenance_work_mem at most (\w+), work_mem at most (\w+)", fix
    ).groups()
    for name, most in zip(pins, limits, strict=True):
        assert _usable({}, {name: most})
        assert not _usable({}, {name: pins[name]})


def test_pools_that_are_too_large():
    fix = sized(DB_POOL_SIZE="60", work_mem="32MB").memory.fix
    assert "a pool size at most " in fix
    most = re.search(r"a pool size at most (\d+)", fix)[1]
    assert sized(DB_POOL_SIZE=most, work_mem="32MB").memory.verdict is not Verdict.FAIL


def test_without_pins_the_machine_is_what_to_change():
    # All 20 workers leave PostgreSQL a share that is too small for their connections.
    fields = {"ram_mib": 4096, "cpus": 2, "app_workers": 20}
    fix = sized(changed(**fields)).memory.fix
    workers, ram = re.fullmatch(r"--app-workers (\d+) or --ram (\d+)M would fit", fix).groups()
    assert _usable({**fields, "app_workers": int(workers)}, {})
    assert not _usable({**fields, "app_workers": int(workers) + 1}, {})
    assert _usable({**fields, "ram_mib": int(ram)}, {})


@pytest.mark.parametrize("pin", ["shared_buffers", "maintenance_work_mem", "temp_buffers"])
def test_a_pin_that_fits_but_starves_the_rest_is_told(pin):
    fix = sized(**{pin: "100GB"}).memory.fix
    most = parse_pg_size(re.fullmatch(rf"{pin} at most (\w+) would fit", fix)[1])
    sizing = sized(**{pin: f"{most * 108 // 100 // 1024}kB"})
    assert sizing.memory.verdict is not Verdict.FAIL
    (problem,) = (warning for warning in sizing.warnings if warning.code == "starved")
    assert problem.message.startswith("the pins leave ")
