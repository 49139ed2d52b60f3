"""Commands that really run."""

import os
import sys

import pytest

from stackctl.engine.runner import Completed, Runner, SystemUser, failed
from stackctl.errors import EngineFailed, NoEngine, TimedOut

SHOW = "import os, sys; print(os.environ.get('X'), os.getcwd(), sys.stdin.read())"


def test_a_command_gets_its_environment_folder_and_input(tmp_path):
    done = Runner().run([sys.executable, "-c", SHOW], env={"X": "1"}, cwd=tmp_path, input="hello")
    assert done.stdout == f"1 {tmp_path} hello\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_without_input_a_command_reads_nothing():
    assert Runner().run([sys.executable, "-c", SHOW]).stdout.endswith(" \n")


def test_commands_are_echoed_so_that_they_can_be_pasted():
    echoed = []
    runner = Runner(echoed.append)
    runner.run(["true", "two words", "it's"])
    runner.run(["true"], quiet=True)
    assert echoed == ["""true 'two words' 'it'"'"'s'"""]


def test_a_failure_says_its_last_line():
    with pytest.raises(EngineFailed, match=r"^sh -c .*: no such volume$") as caught:
        Runner().run(["sh", "-c", "echo trying >&2; echo no such volume >&2; echo >&2; exit 3"])
    assert caught.value.exit_code == 20
    done = Runner().run(["sh", "-c", "exit 3"], check=False)
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [("", "", "exit status 7"), ("out\n", "", "out"), ("out\n", "err\n \n", "err"), (" \n", "", "exit status 7")],
)
def test_the_reason_of_a_failure(stdout, stderr, reason):
    assert str(failed(Completed(("docker", "ps"), 7, stdout, stderr))) == f"docker ps: {reason}"


def test_a_program_that_is_missing_is_named():
    with pytest.raises(NoEngine, match=r"^no-such-program is not installed$"):
        Runner().run(["no-such-program"])


def test_a_command_that_takes_too_long():
    with pytest.raises(TimedOut, match=r"^sleep 5 took more than 0 s$"):
        Runner().run(["sleep", "5"], timeout=0.1)


def test_output_that_is_not_text_does_not_break_it():
    done = Runner().run([sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'a\\xffb\\n')"])
    assert done.stdout == "a\ufffdb\n"


def test_another_user_gets_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("TOKEN", "ours")
    me = SystemUser("service", os.getuid(), os.getgid())
    code = "import os; print(os.umask(0), *sorted(set(os.environ) - {'LC_CTYPE'}))"
    if os.geteuid() != 0:
        # Only root may change groups; the environment is what counts.
        from stackctl.engine.runner import _environment

        assert "TOKEN" not in _environment(None, me)
        return
    done = Runner().run([sys.executable, "-c", code], user=me, env={"EXTRA": "1"})
    umask, *names = done.stdout.split()
    assert int(umask) == 0o077
    assert {"EXTRA", "HOME"} <= set(names) <= {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "LOGNAME", "EXTRA"}


def test_streaming_gives_lines_of_both_outputs_as_they_come():
    script = "echo one; echo two >&2; sleep 30"
    lines = Runner().stream(["sh", "-c", script])
    assert [next(lines), next(lines)] == ["one", "two"]
    lines.close()  # ends the process too, or this test would take half a minute


def test_the_reason_is_the_error_and_not_how_it_was_cleaned_up():
    script = "echo 'tool: error: no space' >&2; echo 'tool: removing contents of the folder' >&2; exit 1"
    with pytest.raises(EngineFailed, match=r": tool: error: no space$"):
        Runner().run(["sh", "-c", script])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("tool: error: no space|tool: error: background process terminated unexpectedly", "no space"),
        ("tool: error: background process terminated unexpectedly", "background process terminated unexpectedly"),
    ],
)
def test_that_a_background_process_ended_is_the_reason_only_where_it_gave_none(said, reason):
    """pg_basebackup says so last where its receiver of WAL met a full disk first."""
    with pytest.raises(EngineFailed, match=rf": tool: error: {reason}$"):
        Runner().run(["sh", "-c", f"echo '{said}' | tr '|' '\\n' >&2; exit 1"])


def test_a_process_that_is_attended_is_given_time_to_clean_up(tmp_path):
    script = 'trap "sleep 1; touch cleaned; exit 3" TERM; touch ready; while :; do sleep 0.1; done'

    def interrupted_once_ready():
        if (tmp_path / "ready").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner().attend(["sh", "-c", f"cd {tmp_path} && {script}"], interrupted_once_ready)
    assert (tmp_path / "cleaned").exists()


def test_a_process_that_is_attended_ends_with_its_own_status():
    calls = []
    assert Runner().attend(["sh", "-c", "sleep 1.2; exit 44"], lambda: calls.append(1)) == 44
    assert calls
