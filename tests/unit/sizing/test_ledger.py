"""The ledger: a pin takes the place of a sized value."""

import pytest

from profiles import catalog
from stackctl.sizing.ledger import Ledger
from stackctl.sizing.model import Pin
from stackctl.units import Bytes


def _ledger(major=17, **pins):
    return Ledger(catalog(major), {name: Pin(value, "environment") for name, value in pins.items()})


def test_a_sized_value_carries_its_reason():
    ledger = _ledger()
    ledger.topic("Memory")
    assert ledger.memory("work_mem", Bytes(33_554_432), "it fits", "requirement S1") == 33_554_432
    (parameter,) = ledger.parameters()
    assert (parameter.name, parameter.value, parameter.default) == ("work_mem", "32MB", "4MB")
    assert (parameter.why, parameter.source, parameter.provenance) == ("it fits", "requirement S1", "sized")
    assert (parameter.topic, parameter.restart) == ("Memory", False)


def test_a_pin_wins_and_says_what_was_sized():
    ledger = _ledger(work_mem="16MB")
    assert ledger.memory("work_mem", Bytes(33_554_432), "it fits", "requirement S1") == 16_777_216
    (parameter,) = ledger.parameters()
    assert (parameter.value, parameter.provenance) == ("16MB", "environment")
    assert parameter.why == "pinned by environment; sized would be 32MB"


def test_a_bare_pin_is_in_the_parameters_own_unit():
    assert _ledger(work_mem="16384").memory("work_mem", Bytes(1), "", "") == 16_777_216
    assert _ledger(max_connections="50").count("max_connections", 200, "", "") == 50


@pytest.mark.parametrize(
    ("pin", "value", "provenance", "why"),
    [
        ("", "first", "mandatory", "needed"),
        ("first", "first", "mandatory", "needed"),
        ('"first"', "first", "mandatory", "needed"),
        ("auto_explain", "first, auto_explain", "environment", "first: needed; pinned by environment: auto_explain"),
        ("a,first , b,a", "first, a, b", "environment", "first: needed; pinned by environment: a, b"),
        ('"$libdir/x,y"', 'first, "$libdir/x,y"', "environment", 'first: needed; pinned by environment: "$libdir/x,y"'),
    ],
)
def test_pinned_libraries_come_after_the_required_one(pin, value, provenance, why):
    ledger = _ledger(shared_preload_libraries=pin)
    assert ledger.libraries("shared_preload_libraries", "first", "needed", "") == value
    (parameter,) = ledger.parameters()
    assert (parameter.value, parameter.provenance, parameter.why) == (value, provenance, why)


def test_the_value_in_force_is_entered_else_pinned_else_the_default():
    ledger = _ledger(work_mem="8MB", geqo="off")
    ledger.memory("maintenance_work_mem", Bytes(33_554_432), "", "")
    assert [ledger.value(name) for name in ("maintenance_work_mem", "geqo", "fsync")] == ["32MB", "off", "on"]
    assert [ledger.number(name) for name in ("maintenance_work_mem", "work_mem", "temp_buffers", "no_such")] == [
        33_554_432,
        8_388_608,
        8_388_608,
        0,
    ]
    assert (ledger.pinned("geqo"), ledger.pinned("fsync")) == ("environment", None)


def test_what_the_version_lacks_is_left_out():
    ledger = _ledger(major=15, reserved_connections="5")
    assert ledger.count("reserved_connections", 2, "", "") == 2
    assert not ledger.has("reserved_connections")
    assert ledger.parameters() == ()


def test_pins_that_nothing_sizes_come_last():
    ledger = _ledger(geqo="off", DB_POOL_SIZE="3", work_mem="8MB")
    ledger.topic("Memory")
    ledger.memory("work_mem", Bytes(1), "", "")
    assert [(p.name, p.value, p.topic, p.why) for p in ledger.parameters()] == [
        ("work_mem", "8MB", "Memory", "pinned by environment; sized would be 0kB"),
        ("geqo", "off", "Pinned", "pinned by environment"),
    ]
