"""The receiver's service on both engines."""

import configparser
from pathlib import Path

import pytest
import yaml

from profiles import changed, sized
from stackctl.hardware.model import PORTABLE_BUILD, Wal
from stacks import by_path, compose_files, embedded_files

STREAM = changed(wal=Wal.STREAM)
# Three tenths of 200 GiB in segments of 16 MiB.
BOUND = "3840"


def _program():
    parser = configparser.RawConfigParser()
    parser.read_string(by_path(embedded_files(sized(STREAM, PORTABLE_BUILD), Path("/srv/shop")))["supervisord.conf"])
    return parser["program:receiver"]


def _container():
    return yaml.safe_load(by_path(compose_files(sized(STREAM)))["compose.yaml"])["services"]["receiver"]


@pytest.mark.parametrize("files", [compose_files(sized()), embedded_files(sized(), Path("/srv/shop"))])
def test_no_trace_of_it_without_being_asked_for(files):
    found = by_path(files)
    marks = ("receive-wal", "stackctl_receiver", "program:receiver", "receiver:\n    image")
    # Rules and dashboards are the same for all: an alert about what is not there stays silent.
    same = ("prometheus/rules/", "grafana/dashboards/")
    own = {path: text for path, text in found.items() if not path.startswith(same)}
    assert not any(mark in f"{path} {text}" for path, text in own.items() for mark in marks)


def test_stream_and_sync_differ_in_nothing_but_what_a_reload_reads():
    both = [by_path(compose_files(sized(changed(wal=mode)))) for mode in (Wal.STREAM, Wal.SYNC)]
    assert {path for path in both[0] if both[0][path] != both[1][path]} == {
        "postgres/postgresql.conf",
        "observer/expected.json",
    }


def test_the_program_is_given_the_password_as_a_file():
    program = _program()
    assert program["command"] == (
        "/bin/sh /srv/shop/rendered/postgres/receive-wal /srv/shop.backups/tail /srv/shop.backups/wal"
        f" /srv/shop/secrets/backup_password /srv/shop/run {BOUND}"
    )
    assert 'PGHOST="127.0.0.1",PGPORT="5432",PGUSER="backup"' in program["environment"]
    assert (program["autorestart"], program["stopasgroup"]) == ("true", "true")


def test_the_container_reads_the_archive_and_writes_the_tail_alone():
    container = _container()
    binds = {each["target"]: each for each in container["volumes"] if isinstance(each, dict)}
    assert binds["/var/lib/stackctl/wal"]["read_only"] is True
    assert "read_only" not in binds["/var/lib/stackctl/tail"]
    assert (container["user"], container["secrets"], container["networks"]) == (
        "1000:1000",
        ["backup_password"],
        ["database"],
    )
    assert container["command"][-1] == BOUND
    assert (container["read_only"], container["cap_drop"]) == (True, ["ALL"])
