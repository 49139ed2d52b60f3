"""Blocks on a terminal: a real one, of several widths."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from command_line import PROGRAM, clean_environment
from stackctl.cli.layout import broken, parts, stacked_columns
from stackctl.operations.result import Table

MACHINE = ("--ram", "16G", "--cpus", "4", "--storage", "ssd", "--disk", "200G", "--pg", "17", "--app-workers", "4")
COMPARED = ("--compare", "pgtune,timescaledb-tune,pigsty,stock")
LONGEST_NAME = "idle_in_transaction_session_timeout"


def _on_a_terminal(folder, *words, width=100, **variables):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = clean_environment(TERM="xterm-256color", **variables)
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [PROGRAM, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    text = b""
    try:
        while chunk := os.read(ours, 65_536):
            text += chunk
    except OSError:  # the terminal of a process that ended
        pass
    os.close(ours)
    return process.wait(), text.decode()


def _lines(folder, width, *words):
    code, text = _on_a_terminal(folder, "size", *MACHINE, *words, width=width)
    assert code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


@pytest.mark.parametrize("words", [(), COMPARED], ids=["size", "compare"])
@pytest.mark.parametrize("width", [80, 112, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_broken(tmp_path, width, words):
    lines = _lines(tmp_path, width, *words)
    assert max(len(line) for line in lines) <= width
    names = {line.split()[0] for line in lines if line.strip()}
    assert {LONGEST_NAME, "autovacuum_analyze_scale_factor", "shared_buffers", "shared_preload_libraries"} <= names


def test_reasons_stand_below_on_a_narrow_terminal_and_beside_on_a_wide_one(tmp_path):
    narrow, wide = _lines(tmp_path, 80), _lines(tmp_path, 200)
    begins = [line.rstrip() for line in narrow]
    row = begins.index(f"{LONGEST_NAME}  0        5min")
    assert begins[row + 1] == "    an abandoned transaction holds back vacuum"
    assert f"{LONGEST_NAME}  0        5min   an abandoned transaction holds back vacuum" in [
        line.rstrip() for line in wide
    ]


def test_compared_tables_repeat_the_name_and_our_value_where_they_are_broken(tmp_path):
    lines = [line.rstrip() for line in _lines(tmp_path, 80, *COMPARED)]
    rows = [line.split() for line in lines if line.startswith("max_wal_size ")]
    assert [row[:2] for row in rows] == [["max_wal_size", "4GB"]] * 2
    assert [value for row in rows for value in row[2:]] == ["4GB", "1GB", "40GB", "(1GB)"]
    whole = [line.split() for line in _lines(tmp_path, 200, *COMPARED) if line.startswith("max_wal_size ")]
    assert whole == [["max_wal_size", "4GB", "4GB", "1GB", "40GB", "(1GB)"]]


def test_a_person_sees_colours_and_tables_that_fit(tmp_path):
    code, text = _on_a_terminal(tmp_path, "size", "--ram", "16G")
    assert code == 0
    assert "\x1b[" in text
    assert "shared_buffers" in text
    plain = [line for line in text.splitlines() if "\x1b" not in line]
    assert max(len(line) for line in plain) <= 100


@pytest.mark.parametrize(("words", "variables"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"})])
def test_without_colours_where_they_are_not_wanted(tmp_path, words, variables):
    code, text = _on_a_terminal(tmp_path, "size", "--ram", "16G", *words, **variables)
    assert (code, "\x1b[" in text) == (0, False)
    assert max(len(line) for line in text.splitlines()) <= 100


WIDE = Table(["name", "a", "b", "c"], [["x" * 10, "1" * 8, "2" * 8, "3" * 8]], keys=1)
PROSE = Table(["name", "value", "why"], [["x" * 20, "1", "word " * 20]])


def test_a_table_that_fits_is_left_alone():
    [part] = parts(WIDE, 40, stacked=False)
    assert (list(part.columns), list(part.widths), part.below) == ([0, 1, 2, 3], [10, 8, 8, 8], None)


def test_columns_are_spread_over_parts_with_the_first_in_each():
    assert [list(part.columns) for part in parts(WIDE, 39, stacked=False)] == [[0, 1, 2], [0, 3]]
    assert [list(part.columns) for part in parts(WIDE, 20, stacked=False)] == [[0, 1], [0, 2], [0, 3]]
    assert all(sum(part.widths) + 2 * len(part.widths) - 2 <= 12 for part in parts(WIDE, 12, stacked=False))


def test_columns_that_must_be_narrowed_still_take_all_there_is():
    evidence = "20 % of the rows are dead"  # twice with a space: 51 characters
    table = Table(["check", "ok", "evidence", "hint"], [["x" * 10, "ok", f"{evidence} {evidence}", "hint"]])
    [part] = parts(table, 51, stacked=False)
    # 51 less three gaps of 2, and less 10, 2 and 4
    assert list(part.widths) == [10, 2, 29, 4]


@pytest.mark.parametrize(("width", "stacked"), [(58, True), (59, False), (200, False)])
def test_prose_goes_below_where_fewer_than_30_columns_are_left(width, stacked):
    # 20 for the name, 5 for the value, two gaps of 2, and 30
    assert stacked_columns([PROSE], width) == ({("name", "value", "why")} if stacked else set())


def test_below_is_the_last_column():
    [part] = parts(PROSE, 40, stacked=True)
    assert (list(part.columns), list(part.widths), part.below) == ([0, 1], [20, 5], 2)


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("timescaledb-tune", 12, "timescaledb-\ntune"),
        ("pg_stat_statements, auto_explain", 20, "pg_stat_statements,\nauto_explain"),
        ("db=%d,app=%a,client=%h", 14, "db=%d,app=%a,\nclient=%h"),
        ("-1", 1, "-1"),
        ("one", 20, "one"),
        ("", 5, ""),
    ],
)
def test_where_a_value_may_be_broken(text, width, expected):
    assert broken(text, width) == expected
