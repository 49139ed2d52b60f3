"""The environment contract and the `.env` file."""

import re

import pytest

from stackctl import assets
from stackctl.errors import ProfileError
from stackctl.settings.environment import NAMES, read_dotenv, read_environment
from stackctl.settings.layers import Given


def _dotenv(tmp_path, text):
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    return read_dotenv(tmp_path)


def test_names_of_the_contract_give_keys_and_pins():
    layer = read_environment({"STACKCTL_PG": "17", "PG_WORK_MEM": "8MB", "DB_POOL_SIZE": "3", "HOME": "/root"})
    assert layer.keys == {"postgres": Given("17", "environment", "STACKCTL_PG")}
    assert layer.pins == {
        "work_mem": Given("8MB", "environment", "PG_WORK_MEM"),
        "DB_POOL_SIZE": Given("3", "environment", "DB_POOL_SIZE"),
    }


def test_an_empty_variable_is_not_given():
    layer = read_environment({"STACKCTL_RAM": "", "PG_WORK_MEM": " "})
    assert (layer.keys, layer.pins) == ({}, {})


def test_dotenv_values_know_their_line(tmp_path):
    layer, warnings = _dotenv(tmp_path, "# the machine\n\n\nexport STACKCTL_RAM='16G' # all of it\nAPP_SECRET=x\n")
    assert layer.keys == {"ram": Given("16G", ".env", ".env:4: STACKCTL_RAM")}
    assert warnings == ()


def test_all_bad_lines_of_dotenv_are_named(tmp_path):
    with pytest.raises(ProfileError) as caught:
        _dotenv(tmp_path, "A=1\n\nthis is no line\nB\nC='open\n")
    assert [problem.message for problem in caught.value.problems] == [
        ".env:3: not a line of the form NAME=value",
        ".env:4: not a line of the form NAME=value",
        ".env:5: not a line of the form NAME=value",
    ]


def test_a_misspelt_name_in_dotenv_is_a_warning(tmp_path):
    _, warnings = _dotenv(tmp_path, "STACKCTL_RMA=16G\nPG_WORKMEM=8MB\nSTACKCTL_COLOUR=no\nPGDATA=/x\nPG_JIT=on\n")
    assert [(warning.message, warning.hint) for warning in warnings] == [
        (".env:1: STACKCTL_RMA is not a variable of stackctl and was ignored", "did you mean STACKCTL_RAM?"),
        (".env:2: PG_WORKMEM is not a variable of stackctl and was ignored", "did you mean PG_WORK_MEM?"),
        (
            ".env:3: STACKCTL_COLOUR is not a variable of stackctl and was ignored",
            "the names are listed in .env.example",
        ),
        (
            ".env:5: PG_JIT is not a variable of stackctl and was ignored",
            "write jit below postgres: in stackctl.yaml, or --set",
        ),
    ]


def test_the_example_lists_every_name_that_is_read_and_no_other():
    listed = re.findall(r"^#([A-Z_]+)=", assets.read(".env.example"), re.MULTILINE)
    assert sorted(listed) == sorted(NAMES)
