"""Blocks on a terminal."""

import os
import pty
import subprocess

import pytest

from command_line import PROGRAM, clean_environment


def _on_a_terminal(folder, *words, **variables):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *words],
        cwd=folder,
        env=clean_environment(TERM="xterm-256color", COLUMNS="100", **variables),
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
