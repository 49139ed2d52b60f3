"""Connection strings as a real server and real clients take them, whatever is in their values."""

from __future__ import annotations

import os
import subprocess

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from profiles import catalog
from running_postgres import PASSWORD, running_postgres
from stackctl.settings.connection import Connection, application_name, option_fault, shell_lines
from stackctl.settings.values import Fault

NASTY = [
    "plain",
    "two words",
    "it's 100 % #1 & more = a?b;c",
    "back\\slash \\ 'and' \"quotes\"",
    "$HOME `id` $(id) !",
    " ends with a backslash\\",
]
PATHS = ['"we ird\\ sch%ema#1", public', '"it\'s", "a\\\\b"', '"tab\there", public']
SHOWN = "SELECT current_setting('application_name'), current_setting('search_path'), current_setting('work_mem')"


@pytest.fixture(scope="module")
def server():
    with running_postgres() as running:
        running.execute(f"CREATE ROLE report LOGIN PASSWORD '{PASSWORD}'")
        running.execute("CREATE DATABASE app")
        yield running


def _connection(server, name, **options):
    return Connection("report", "127.0.0.1", server.port, name, options=options)


def _asked(connection):
    with psycopg.connect(connection, password=PASSWORD) as session:
        return session.execute(SHOWN).fetchone()


@pytest.mark.parametrize("name", NASTY)
def test_any_name_reaches_the_server_in_each_form(server, name):
    connection = _connection(server, name)
    for text in (connection.url(), connection.dsn()):
        assert _asked(text)[0] == name


@pytest.mark.parametrize("path", PATHS)
def test_any_option_reaches_the_server_in_each_form(server, path):
    connection = _connection(server, "report", search_path=path, work_mem="7MB")
    for text in (connection.url(), connection.dsn()):
        assert _asked(text)[1:] == (path, "7MB")


def test_a_shell_takes_the_variables(server):
    connection = _connection(server, NASTY[3], search_path=PATHS[1], work_mem="7MB")
    script = "\n".join([*shell_lines(connection.environment()), f'"$1" -X -A -t -F "|" -c "{SHOWN}"'])
    argv = ["sh", "-c", script, "sh", server.program("psql")]
    given = {"PATH": os.environ["PATH"], "PGPASSWORD": PASSWORD}
    done = subprocess.run(argv, env=given, capture_output=True, text=True, check=True)
    assert done.stdout == f"{NASTY[3]}|{PATHS[1]}|7MB\n"


def test_psql_takes_the_url_as_one_word(server):
    url = _connection(server, NASTY[2], work_mem="7MB").url()
    argv = [server.program("psql"), "-X", "-A", "-t", url, "-c", "SHOW application_name"]
    done = subprocess.run(argv, env={"PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=True)
    assert done.stdout == f"{NASTY[2]}\n"


def test_timeouts_and_keepalives_are_those_that_libpq_reads():
    connection = Connection(
        "report", "127.0.0.1", 5432, "report", connect_timeout_seconds=7, keepalives_idle_seconds=20
    )
    for text in (connection.url(), connection.dsn()):
        assert conninfo_to_dict(text) == {
            "host": "127.0.0.1",
            "port": "5432",
            "dbname": "app",
            "user": "report",
            "application_name": "report",
            "connect_timeout": "7",
            "keepalives": "1",
            "keepalives_idle": "20",
            "keepalives_interval": "10",
            "keepalives_count": "3",
        }


def test_the_password_is_in_no_form(server):
    connection = _connection(server, "report")
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(connection.url())
    assert "PGPASSWORD" not in connection.environment()


def test_through_a_pooler_options_are_the_roles(server):
    options = {"search_path": 'it\'s, "b"', "statement_timeout": "5min"}
    pooled = Connection("report", "127.0.0.1", server.port, "report", options=options, pooled=True)
    assert "options" not in pooled.parameters()
    for statement in pooled.role_settings():
        server.execute(statement)
    try:
        with psycopg.connect(pooled.url(), password=PASSWORD) as session:
            found = session.execute("SELECT current_schemas(false), current_setting('statement_timeout')").fetchone()
            path = session.execute("SHOW search_path").fetchone()[0]
    finally:
        server.execute("ALTER ROLE report RESET ALL")
    assert (found[1], path) == ("5min", '"it\'s", b')


@pytest.mark.parametrize("text", ["", "café", "a\nb", "x" * 64])
def test_a_name_that_the_server_would_change_is_refused(text):
    with pytest.raises(Fault):
        application_name(text)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("wrok_mem", "8MB", "--option: PostgreSQL 17 has no parameter 'wrok_mem'"),
        ("work_mem", "8 elephants", "--option: work_mem: '8 elephants'"),
        ("shared_buffers", "1GB", "--option: shared_buffers: it is a setting of the whole server"),
        ("log_min_duration_statement", "0", "--option: log_min_duration_statement: only a superuser may set it"),
        ("search_path", "a\nb", "--option: search_path: a value is one line"),
        ("search_path", "a\rb", "--option: search_path: a value is one line"),
    ],
)
def test_an_option_that_the_session_may_not_have_is_refused(name, value, message):
    assert option_fault(name, value, catalog(17), "--option").message.startswith(message)


def test_an_option_of_a_session_passes():
    assert option_fault("statement_timeout", "5min", catalog(17), "--option") is None
