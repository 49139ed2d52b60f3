"""The command line within this process, which is faster than a new one."""

import os

import pytest

from command_line import document
from stackctl.cli.main import run


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run words in an empty project; gives back exit code, stdout and stderr."""
    for name in list(os.environ):
        if name.startswith(("STACKCTL_", "PG_", "DB_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = run(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def cli_json(cli):
    """Run words with `--json`; gives back exit code and document. Nothing else may be on stdout."""

    def call(*words):
        code, out, _ = cli(*words, "--json")
        return code, document(out)

    return call
