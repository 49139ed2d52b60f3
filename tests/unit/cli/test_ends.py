"""How a run ends: signals, and readers that went away."""

import os
import signal
import subprocess
import sys

import pytest

from command_line import clean_environment, document

# A stand-in for `up` that says what it does, and does it to the end.
WORK = """
import signal, sys, time
from stackctl.cli import main
from stackctl.cli.session import session
from stackctl.operations import up
from stackctl.operations.result import Line, Result

def work(request, runner, note, timeout):
    try:
        for step in range(3):
            note(f"step {step}")
        MIDDLE
    finally:
        open("done", "w").close()
    return Result({}, [Line("up")], exit_code=CODE)

up.up_command = work
sys.exit(main.run(sys.argv[1:]))
"""


def _program(middle="pass", code=0):
    return [sys.executable, "-c", WORK.replace("MIDDLE", middle).replace("CODE", str(code))]


def _closed():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _run(folder, words, program=None, **streams):
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    environment = clean_environment()
    return subprocess.run(
        [*(program or _program()), *words], cwd=folder, env=environment, text=True, check=False, **given
    )


def test_up_goes_on_where_nobody_reads_its_progress(tmp_path):
    done = _run(tmp_path, ["up", "--json"], stderr=_closed())
    assert (done.returncode, document(done.stdout)["ok"]) == (0, True)
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("code", [0, 30])
def test_the_code_is_the_operations_where_nobody_reads_its_result(tmp_path, code):
    done = _run(tmp_path, ["up", "--quiet"], _program(code=code), stdout=_closed())
    assert (done.returncode, done.stderr) == (code, "")
    assert (tmp_path / "done").exists()


def test_a_pipe_that_breaks_within_up_is_not_called_done(tmp_path):
    done = _run(tmp_path, ["up", "--quiet"], _program("raise BrokenPipeError(32, 'Broken pipe')"))
    assert (done.returncode, done.stderr.startswith("error: defect in stackctl")) == (1, True)


@pytest.mark.parametrize(("error", "code"), [("5, 'Input/output error', '/srv/disk/file'", 20), ("5, 'no path'", 1)])
def test_a_disk_that_fails_is_no_defect(tmp_path, error, code):
    done = _run(tmp_path, ["up", "--json"], _program(f"raise OSError({error})"))
    (problem,) = document(done.stdout)["errors"]
    assert (done.returncode, problem["message"] == "/srv/disk/file: Input/output error") == (code, code == 20)


def test_an_error_that_nobody_reads_keeps_its_code(tmp_path):
    done = _run(tmp_path, ["size", "--ram", "16X", "--json"], stdout=_closed())
    assert (done.returncode, done.stderr) == (10, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_run_with_its_cleaning_up(tmp_path, number):
    process = subprocess.Popen(
        [*_program("time.sleep(30)"), "up"],
        cwd=tmp_path,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
        # Below nohup it would be ignored, as it should be.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - no thread of ours
    )
    while "step 2" not in process.stderr.readline():
        pass
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, "error: interrupted\n")
    assert (tmp_path / "done").exists()


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    raised = "signal.raise_signal(signal.SIGHUP)"
    done = _run(tmp_path, ["up"], ["nohup", *_program(raised)], stdin=subprocess.DEVNULL)
    assert done.returncode == 0


def test_signals_are_as_before_after_a_run(cli):
    cli("size")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("words", [["size"], ["size", "--json"], ["size", "--format", "conf"], ["--help"]])
def test_a_full_disk_under_the_output_is_named(tmp_path, words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = _run(tmp_path, words, [sys.executable, "-m", "stackctl"], stdout=full)
    assert done.returncode == 20
    assert "error: no space left on the device: where the output goes (free some space" in done.stderr
    assert "Traceback" not in done.stderr
