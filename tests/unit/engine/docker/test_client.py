"""Containers of the database's image: as whom they run, and what they can reach."""

from pathlib import Path

import pytest

from stackctl.engine.docker import client
from stackctl.engine.docker.client import DockerPrograms
from stackctl.engine.runner import Completed

FOLDER = ((Path("/srv/keys"), "/run/stackctl-repository"), (Path("/srv/b"), "/var/lib/stackctl/repository"))
STORE = FOLDER[:1]


class Recorder:
    """Keeps the command lines."""

    def __init__(self):
        self.ran = []

    def run(self, argv, **_):
        self.ran.append(argv)
        return Completed(tuple(argv), 0, "", "")


@pytest.fixture
def operator(monkeypatch):
    """Somebody who is not root, in the group of Docker."""
    monkeypatch.setattr(client.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(client.os, "getegid", lambda: 1001)


def started(reach, *words, program="pgbackrest", repository=True):
    """The options of `docker run`."""
    runner, passfile = Recorder(), Path("/srv/pgpass")
    programs = DockerPrograms("shop", "image", "shop_database", runner, passfile, reach=reach, way_out="bridge")
    (programs.with_repository() if repository else programs).run(program, *words)
    (argv,) = runner.ran
    return argv[: argv.index("image")]


def account(options):
    groups = [options[at + 1] for at, word in enumerate(options) if word == "--group-add"]
    return options[options.index("--user") + 1], groups


@pytest.mark.parametrize("words", [("annotate", "--set=F1"), ("expire", "--set=F1")])
def test_files_of_the_server_s_account_are_changed_by_that_account_through_the_operator_s_folder(operator, words):
    """The folder is 2770 and the operator's; what pgbackrest makes in it is 0750 and of 999."""
    assert account(started(FOLDER, "--stanza=shop", *words)) == ("999:999", ["1001"])


@pytest.mark.parametrize(
    ("reach", "words"),
    [(FOLDER, ["info"]), (FOLDER, ["verify", "--set=F1"]), (FOLDER, ["restore"]), (STORE, ["annotate", "--set=F1"])],
)
def test_all_else_runs_as_the_operator_whose_files_come_of_it(operator, reach, words):
    assert account(started(reach, *words)) == ("1000:1001", [])


def test_root_runs_all_as_the_server_s_account(monkeypatch):
    monkeypatch.setattr(client.os, "geteuid", lambda: 0)
    assert account(started(FOLDER, "expire")) == account(started(FOLDER, "info")) == ("999:999", [])


def test_who_reaches_the_repository_has_no_password_of_the_database_and_the_other_way_round():
    reaching = " ".join(started(STORE, "info"))
    logging_in = " ".join(started(STORE, "--host", "postgres", program="pg_basebackup", repository=False))
    found = [("pgpass" in each, "--network bridge" in each, "/srv/keys" in each) for each in (reaching, logging_in)]
    assert found == [(False, True, True), (True, False, False)]
