"""What people and scripts read."""

import json
import os
import sys
from pathlib import Path

import pytest

from command_line import document
from stackctl.cli.output import Output, plain_table
from stackctl.errors import Problem
from stackctl.operations.result import Line, Result, Table

RESULT = Result(
    {"n": 1, "name": "Käse"},
    [Line("title"), Table(["a", "long"], [["1", "2"], ["wide cell", ""]], "Shown")],
    warnings=[Problem("w", "careful", "look")],
    errors=[Problem("e", "broken", "")],
    exit_code=10,
)


def test_a_table_in_a_pipe_is_padded_columns():
    assert plain_table(RESULT.blocks[1]) == "\nShown\na          long\n1          2\nwide cell\n"
    assert plain_table(Table(["a"], [])) == "\na\n"


def test_for_people_results_go_to_stdout_and_notes_to_stderr(capsys):
    output = Output()
    output.note("working")
    output.echo("docker ps")
    output.result("size", RESULT)
    out, err = capsys.readouterr()
    assert out == "title\n\nShown\na          long\n1          2\nwide cell\n"
    assert err.splitlines()[0].endswith("s  working")
    assert err.splitlines()[1:] == ["  $ docker ps", "warning: careful (look)", "error: broken"]


def test_quiet_leaves_progress_out_and_errors_in(capsys):
    output = Output(quiet=True)
    output.note("working")
    output.echo("docker ps")
    output.failure("up", [Problem("e", "broken", "mend it")])
    assert capsys.readouterr().err == "error: broken (mend it)\n"


def test_json_is_one_document(capsys):
    Output(as_json=True).result("size", RESULT)
    out, err = capsys.readouterr()
    answer = document(out)
    assert (answer["ok"], answer["data"], err) == (False, {"n": 1, "name": "Käse"}, "")
    assert answer["warnings"] == [{"code": "w", "message": "careful", "hint": "look"}]
    assert "Käse" in out


@pytest.mark.parametrize(("exit_code", "ok"), [(0, True), (12, True), (10, False), (30, False)])
def test_pending_changes_are_no_failure(capsys, exit_code, ok):
    Output(as_json=True).result("plan", Result({}, [], exit_code=exit_code))
    assert json.loads(capsys.readouterr().out)["ok"] is ok


def test_progress_that_nobody_reads_is_no_error(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        output = Output()
        output.note("working")
        output.echo("docker ps")
        output.failure("up", [Problem("e", "broken", "")])
        assert Path(f"/proc/self/fd/{writing}").readlink() == Path(os.devnull)
