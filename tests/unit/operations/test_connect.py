"""The connection string of a project: where each engine has its server, and what is refused."""

from __future__ import annotations

import shlex

import pytest

from stackctl.errors import NoEngine, ProfileError, UsageError
from stackctl.operations.connect import Asked, connect_command
from stackctl.operations.result import Request
from stackctl.operations.state import State, make_private, save


def _project(folder, engine, **more):
    make_private(folder / ".stackctl")
    ports = {"app": 4444, "metrics": 4445, "postgres": 25432}
    save(
        folder / ".stackctl", State("shop", engine, "asked", "", {engine: 17}, folder=str(folder), ports=ports, **more)
    )


def _connect(folder, role="report", name=None, timeout=None, options=(), shape="url", environ=None):
    return connect_command(Request(str(folder), environ=environ or {}), Asked(role, name, timeout, options, shape))


def test_the_embedded_server_is_on_its_port_of_loopback(tmp_path):
    _project(tmp_path, "embedded")
    found = _connect(tmp_path)
    (url,) = found.lines
    assert url.startswith("postgresql://report@127.0.0.1:25432/app?application_name=report&connect_timeout=10&")
    assert found.remarks == [f"password: in {tmp_path}/.stackctl/secrets/report_password"]


def test_on_docker_it_is_a_name_of_the_network_and_a_command_leads_there(tmp_path):
    _project(tmp_path, "docker")
    found = _connect(tmp_path, options=["search_path=it's, public"], shape="dsn")
    assert found.lines[0].startswith("host=postgres port=5432 dbname=app user=report application_name=report ")
    _, network, command = found.remarks
    assert "shop_database" in network
    words = shlex.split(command.partition(": ")[2])
    assert words[1:6] == ["docker", "exec", "-it", "-e", "PGPASSWORD"]
    assert words[6:8] == ["shop-postgres-1", "psql"]
    assert words[8].startswith("postgresql://report@127.0.0.1:5432/app?")


def test_pins_of_the_pool_are_its_times(tmp_path):
    _project(tmp_path, "embedded")
    data = _connect(tmp_path, environ={"PG_CONNECT_TIMEOUT": "4", "PG_KEEPALIVES_IDLE": "50"}).result.data
    assert "connect_timeout=4 " in data["dsn"]
    assert "keepalives_idle=50" in data["dsn"]


def test_variables_for_a_shell_name_the_file_of_the_password(tmp_path):
    _project(tmp_path, "embedded")
    lines = _connect(tmp_path, role="monitor", name="my tool", timeout="5min", shape="env").lines
    assert "export PGUSER=monitor" in lines
    assert "export PGAPPNAME='my tool'" in lines
    assert "export PGOPTIONS='-c statement_timeout=5min'" in lines
    assert lines[-1] == f'export PGPASSWORD="$(cat {tmp_path}/.stackctl/secrets/monitor_password)"'


def test_behind_the_pooler_the_apps_options_are_those_of_its_role(tmp_path):
    _project(tmp_path, "docker", flags={"pooler": "pgbouncer"})
    found = _connect(tmp_path, role="app", timeout="5min")
    assert "options" not in found.lines[0]
    assert found.lines[0].startswith("postgresql://app@pgbouncer:6432/app?")
    assert found.remarks[1].endswith("ALTER ROLE app SET statement_timeout = '5min';")
    assert "options=-c%20statement_timeout%3D5min" in _connect(tmp_path, role="report", timeout="5min").lines[0]


def test_memory_beside_the_proof_is_told(tmp_path):
    _project(tmp_path, "embedded")
    (warning,) = _connect(tmp_path, options=["WORK_MEM=1GB"]).result.warnings
    assert (warning.code, warning.message.partition(" ")[0]) == ("memory_proof", "work_mem")


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"role": "postgres"}, UsageError, "no role 'postgres'"),
        ({"shape": "yaml"}, UsageError, "--format yaml"),
        ({"options": ["work_mem"]}, ProfileError, "--option work_mem: not of the form NAME=VALUE"),
        ({"options": ["wrok_mem=8MB"]}, ProfileError, "has no parameter 'wrok_mem'"),
        ({"timeout": "soon"}, ProfileError, "--statement-timeout: statement_timeout: 'soon'"),
        ({"name": "café"}, ProfileError, "--application-name: 'café' has characters"),
        ({"timeout": "1s", "options": ["statement_timeout=2s"]}, UsageError, "statement_timeout is given twice"),
    ],
)
def test_what_cannot_be_a_connection_is_refused_by_name(tmp_path, given, error, text):
    _project(tmp_path, "embedded")
    with pytest.raises(error) as caught:
        _connect(tmp_path, **given)
    assert text in str(caught.value)


def test_before_the_first_up_there_is_nothing_to_connect_to(tmp_path):
    with pytest.raises(NoEngine, match="nothing was brought up"):
        _connect(tmp_path)
