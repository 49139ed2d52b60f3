"""Flags and `--set`."""

import pytest

from stackctl.errors import ProfileError, UsageError
from stackctl.settings.flags import read_flags
from stackctl.settings.layers import Given


def test_flags_give_keys_and_connections_pins():
    layer = read_flags({"pg": "17", "app_workers": "2", "connections": "150", "ram": None}, [])
    assert layer.keys == {
        "postgres": Given("17", "flag", "--pg"),
        "app_workers": Given("2", "flag", "--app-workers"),
    }
    assert layer.pins == {"max_connections": Given("150", "flag", "--connections")}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("work_mem=16MB", "work_mem", "16MB"),
        ("log_line_prefix=%m=%p ", "log_line_prefix", "%m=%p"),
        ("log_line_prefix=", "log_line_prefix", ""),
        ("auto_explain.log_analyze=on", "auto_explain.log_analyze", "on"),
        ("PG_WORK_MEM=16MB", "work_mem", "16MB"),
        ("DB_POOL_SIZE=10", "DB_POOL_SIZE", "10"),
    ],
)
def test_set_pins_any_parameter(text, name, value):
    pins = read_flags({}, [text]).pins
    assert {key: given.text for key, given in pins.items()} == {name: value}


def test_all_malformed_sets_are_named():
    with pytest.raises(ProfileError) as caught:
        read_flags({}, ["work_mem", "=3", "jit=off", "work mem=3"])
    assert [problem.message for problem in caught.value.problems] == [
        "--set work_mem: not of the form NAME=VALUE",
        "--set =3: not of the form NAME=VALUE",
        "--set work mem=3: not of the form NAME=VALUE",
    ]


def test_connections_and_set_that_agree_are_one_pin():
    pins = read_flags({"connections": "150"}, ["max_connections=150"]).pins
    assert pins == {"max_connections": Given("150", "flag", "--connections")}


@pytest.mark.parametrize(
    ("flags", "sets", "message"),
    [
        (
            {"connections": "150"},
            ["max_connections=200"],
            "--connections and --set max_connections give max_connections two values, 150 and 200",
        ),
        (
            {},
            ["work_mem=1MB", "PG_WORK_MEM=2MB"],
            "--set work_mem and --set PG_WORK_MEM give work_mem two values, 1MB and 2MB",
        ),
    ],
)
def test_two_values_for_one_pin_are_a_usage_error(flags, sets, message):
    with pytest.raises(UsageError) as caught:
        read_flags(flags, sets)
    assert (str(caught.value), caught.value.exit_code) == (message, 2)
